"""From a row of signs to a value: what binds more strongly is read first."""

from collections.abc import Sequence
from dataclasses import dataclass

from plugins.calculator.numbers import Number, Wrong, literal, number_of
from plugins.calculator.operations import CONSTANTS, FUNCTIONS, OPERATORS, raised, root
from plugins.calculator.signs import Token, begins_operand

_DEEPEST = 40
"""Brackets within brackets, powers of powers."""


@dataclass(slots=True)
class Parser:
    """Reads a sum from left to right; each method is one level of how strongly signs bind."""

    tokens: Sequence[Token]
    position: int = 0
    depth: int = 0

    def whole(self) -> Number:
        result = self._sum()
        if self.position < len(self.tokens):
            raise self._unexpected()
        return result

    def _sum(self) -> Number:
        left = self._product()
        while sign := self._take("+", "-"):
            right = self._product()
            part = right.value
            if right.is_percent and not left.is_percent:
                part *= left.value
            value = left.value + part if sign == "+" else left.value - part
            both = left.is_percent and right.is_percent
            left = number_of(value, left, right, is_percent=both)
        return left

    def _product(self) -> Number:
        left = self._signed()
        while True:
            sign = self._take("*", "/", "//", "%", "mod", "off")
            if sign is None and not self._operand_follows():
                return left
            right = self._signed()
            if sign == "off":
                part = left.value * right.value if left.is_percent else left.value
                left = number_of(right.value - part, left, right)
            else:
                left = OPERATORS[sign or "*"](left, right)

    def _signed(self) -> Number:
        negative = False
        while sign := self._take("+", "-"):
            negative ^= sign == "-"
        number = self._power()
        if negative:
            return Number(-number.value, number.is_exact, number.is_percent)
        return number

    def _power(self) -> Number:
        base = self._postfix()
        if self._take("**"):
            self._deeper()
            base = raised(base, self._signed())
            self.depth -= 1
        return base

    def _postfix(self) -> Number:
        number = self._atom()
        # Before an operand the sign means the remainder of a division.
        while self._peek() == "%" and not self._operand_follows(1):
            self.position += 1
            number = Number(number.value / 100, number.is_exact, is_percent=True)
        return number

    def _atom(self) -> Number:
        if self.position >= len(self.tokens):
            raise Wrong("the sum ends too early", "算式不完整")
        token = self.tokens[self.position]
        self.position += 1
        if token.kind == "number":
            return literal(token.text)
        if token.text == "(":
            return self._bracket()
        if token.text in CONSTANTS:
            return Number(CONSTANTS[token.text], is_exact=False)
        if token.text in FUNCTIONS:
            return self._call(token.text)
        self.position -= 1
        raise self._unexpected()

    def _bracket(self) -> Number:
        self._deeper()
        inner = self._sum()
        self._expect(")")
        self.depth -= 1
        return inner

    def _call(self, name: str) -> Number:
        if not self._take("("):
            if name == "sqrt":
                return root([self._postfix()])
            raise Wrong(f"write {name}(…)", f"请写成 {name}(…)")
        self._deeper()
        arguments = [self._sum()]
        while self._take(","):
            arguments.append(self._sum())
        self._expect(")")
        self.depth -= 1
        return FUNCTIONS[name](arguments)

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise Wrong("too many brackets within brackets", "括号嵌套太深")

    def _peek(self, ahead: int = 0) -> str | None:
        at = self.position + ahead
        return self.tokens[at].text if at < len(self.tokens) else None

    def _operand_follows(self, ahead: int = 0) -> bool:
        at = self.position + ahead
        if at >= len(self.tokens):
            return False
        token = self.tokens[at]
        # Two numbers side by side are a slip of the pen, not a product.
        if token.kind == "number" and ahead == 0:
            return self.tokens[at - 1].text == ")"
        return begins_operand(token)

    def _take(self, *signs: str) -> str | None:
        text = self._peek()
        if text is None or text not in signs:
            return None
        self.position += 1
        return text

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise self._unexpected(f"a {sign} is missing", f"缺少 {sign}")

    def _unexpected(self, en: str = "", zh: str = "") -> Wrong:
        if en:
            return Wrong(en, zh)
        text = (self._peek() or "")[:20]
        hint = (
            ("; a comma only parts thousands", "；逗号只能作千位分隔") if text == "," else ("", "")
        )
        return Wrong(f"{text} is not expected there{hint[0]}", f"{text} 的位置不对{hint[1]}")
