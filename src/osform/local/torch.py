"""The native libraries that ML Commons needs, the same for every release: DJL takes libtorch 2.5.1 in all of them."""

from __future__ import annotations

from osform.local.artifacts import Artifact, Torch

TORCH_2_5_1 = Torch(
    version="2.5.1",
    libraries=Artifact.of(
        "ai.djl.pytorch:pytorch-native-cpu:jar:linux-x86_64:2.5.1",
        109_602_264,
        "9c4f35fb64cb3fba34340b432c648e1bea044adeee554b473d5882499b16f0a4",
    ),
    libraries_under="pytorch/cpu/linux-x86_64/",
    jni=Artifact.of(
        "ai.djl.pytorch:pytorch-jni:jar:2.5.1-0.32.0",
        4_931_626,
        "342bde24382eef06e93a2461fd8f293e5c2c6c72caca7d66019d0a9447d96265",
    ),
    jni_under="jnilib/linux-x86_64/cpu/",
)
