"""What the demo runs, and the drawn pictures and toy models that the tests use too. No part of the package osform."""
