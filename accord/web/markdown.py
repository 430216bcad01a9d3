"""Text of people and models as safe HTML: Markdown is rendered, everything else is text.

HTML in a text is shown, not interpreted. What the renderer makes is cleaned once more with a list
of what may stay. Images are shown as links, since fetching one would tell its server who reads.
"""

from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape

REMEMBERED = 4096  # rendered texts; one response is shown to several labelers

TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote"),
    *("pre", "code", "em", "strong", "s", "a"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "code": {"class"}, "th": set(), "td": set()}


def _image(
    renderer: RendererHTML, tokens: list[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    del env
    address = str(tokens[index].attrGet("src") or "")
    name = renderer.renderInlineAsText(tokens[index].children, options, {}) or address
    return str(Markup('<a href="{}">{}</a>').format(address, escape(name)))


_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_MARKDOWN.add_render_rule("image", _image)


@lru_cache(maxsize=REMEMBERED)
def render(text: str) -> Markup:
    """Markdown as HTML that is safe to put into a page.

    >>> render("*yes* <script>alert(1)</script>")
    Markup('<p><em>yes</em> &lt;script&gt;alert(1)&lt;/script&gt;</p>\\n')
    >>> render("[here](javascript:alert(1))")
    Markup('<p>[here](javascript:alert(1))</p>\\n')
    """
    return Markup(
        nh3.clean(
            _MARKDOWN.render(text),
            tags=TAGS,
            attributes=ATTRIBUTES,
            url_schemes={"http", "https", "mailto"},
            link_rel="noopener noreferrer nofollow",
        )
    )
