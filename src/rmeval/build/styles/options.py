"""Options of style control, for the whole benchmark or for one domain."""

from __future__ import annotations

from pydantic import Field

from rmeval.build.config import BuildConfig, Options

__all__ = ["StyleOptions", "style_options"]


class StyleOptions(Options):
    """Options of style control: `styles` of the config, and of a domain where it differs.

    Attributes:
        attempts: Number of rewritings that are tried for each text.
        variants: Number of rewritings of each text among which the most balanced is chosen.
        temperature: Temperature of rewritings.
        concise: Words of a concise text that the prompt names, as a share of the words of the responses.
        detailed: Words of a detailed text that the prompt names, as a share of the words of the responses.
        spread: By how much one side's texts should be longer than the other's, as a share; the side is drawn for each
            problem and style, so that length tells nothing.
        max_concise: Largest number of words of a concise text, as a share of the words of each detailed one.
        min_markdown: Smallest number of headers, list entries and bold passages of a text with markdown.
        max_plain_markdown: Largest number of them in a concise or plain text.
        length_tolerance: Largest difference in words between chosen and rejected of one style, as a share of the
            longer.
        balance: Largest difference between the means of chosen and rejected in one style and domain, in words and in
            markdown, as a share of the larger mean, and between the shares of comparisons in which each is larger.
        max_dropped: Largest share of a domain's problems that are left out so that the rest is balanced.
    """

    attempts: int = Field(default=4, ge=1)
    variants: int = Field(default=1, ge=1, le=4)
    temperature: float = Field(default=0.7, ge=0)
    concise: float = Field(default=0.35, gt=0)
    detailed: float = Field(default=1.5, gt=0)
    spread: float = Field(default=0.1, ge=0, le=1)
    max_concise: float = Field(default=0.8, gt=0)
    min_markdown: int = Field(default=3, ge=1)
    max_plain_markdown: int = Field(default=0, ge=0)
    length_tolerance: float = Field(default=0.4, ge=0, le=1)
    balance: float = Field(default=0.1, ge=0, le=1)
    max_dropped: float = Field(default=0.2, ge=0, lt=1)


def style_options(config: BuildConfig, domain: str) -> StyleOptions:
    """The options of a domain: its own, and the benchmark's where it has none.

    Raises:
        DataError: If one is wrong.
    """
    whole = config.part(StyleOptions, "styles")
    own = config.part(StyleOptions, "domains", domain, "styles")
    return whole.model_copy(update=own.model_dump(exclude_unset=True))
