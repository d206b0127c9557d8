"""Prompts in the model's own words, and conversations that find room."""

from __future__ import annotations

import pytest

from osform.caption.prompts import Turn, Uses, as_chat, as_question, fitting
from osform.errors import InputError

TURNS = [Turn(f"question {n}?", f"answer {n}") for n in range(6)]


def words(text: str) -> int:
    return len(text.split())


def test_a_question_stands_in_the_words_that_the_model_was_trained_on() -> None:
    assert as_question(" Welche Farbe? ") == "Question: Welche Farbe? Answer:"


@pytest.mark.parametrize("answer", ["red", "red."])
def test_an_answer_in_front_ends_with_one_full_stop(answer: str) -> None:
    expected = "Question: Which colour? Answer: red. Question: Why? Answer:"
    assert as_chat([Turn("Which colour?", answer)], "Why?") == expected


def test_an_answer_that_exclaims_gets_no_full_stop() -> None:
    assert as_chat([Turn("Who?", "me!")], "Why?").startswith("Question: Who? Answer: me! Question:")


def test_the_oldest_turns_are_dropped_until_the_conversation_fits() -> None:
    text = fitting(TURNS, "and now?", words, 20)
    assert "answer 5" in text
    assert "answer 3" not in text
    assert words(text) <= 20
    assert fitting(TURNS, "and now?", words, 1000) == as_chat(TURNS, "and now?")


def test_a_question_that_does_not_fit_alone_is_refused() -> None:
    with pytest.raises(InputError, match="has 4 tokens, at most 3 fit"):
        fitting(TURNS, "and now?", words, 3)


@pytest.mark.parametrize("question", ["Question : quelle marque ? Réponse :", "Pregunta: color Respuesta:"])
def test_a_question_with_a_translated_template_is_refused(question: str) -> None:
    with pytest.raises(InputError, match="brings a template of its own"):
        Uses(questions={"brand": question})


def test_a_question_can_not_fill_a_field_that_each_line_has() -> None:
    with pytest.raises(InputError, match="'description' is one that each line has already"):
        Uses(questions={"description": "What is it?"})


def test_a_conversation_goes_with_neither_prompts_nor_questions() -> None:
    with pytest.raises(InputError, match="neither prompts nor questions"):
        Uses(("a photo of",), chat=(Turn("What is it?"),))


def test_a_conversation_with_nothing_to_ask_is_refused() -> None:
    with pytest.raises(InputError, match="nothing to ask"):
        Uses(chat=(Turn("What is it?", "a boat"),))
