"""What the till must do; three of three fail at first."""

import unittest

from shop import shown, total, with_tax


class Till(unittest.TestCase):
    def test_1_total(self) -> None:
        assert total([250, 1_000, 49]) == 1_299

    def test_2_with_tax(self) -> None:
        assert with_tax(1_299, 19) == 1_546

    def test_3_shown(self) -> None:
        assert shown(1_546) == "15.46 €"


if __name__ == "__main__":
    unittest.main()
