/// The elements of HTML and SSML, by what becomes of them when they are read aloud.
enum MarkupElements {
    /// Nothing in them is said.
    static let silent: Set<String> = [
        "canvas", "desc", "head", "iframe", "lexicon", "math", "metadata", "noscript", "object", "rp", "rt", "script", "select", "style",
        "svg", "template",
        "textarea", "video",
    ]

    /// A paragraph begins and ends with them.
    static let blocks: Set<String> = [
        "address", "article", "aside", "blockquote", "caption", "center", "dd", "details", "dialog", "div", "dl", "dt", "fieldset",
        "figcaption", "figure",
        "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "legend", "li", "main", "nav", "ol", "p", "paragraph", "pre",
        "section", "speak",
        "summary", "table", "tbody", "tfoot", "thead", "title", "tr", "ul",
    ]

    private static let plain: Set<String> = [
        "a", "abbr", "audio", "b", "bdi", "bdo", "big", "body", "br", "break", "button", "cite", "code", "col", "colgroup", "data", "del",
        "dfn", "em", "emphasis",
        "font", "html", "i", "img", "input", "ins", "kbd", "label", "lang", "link", "map", "mark", "meta", "meter", "optgroup", "option",
        "output", "phoneme",
        "picture", "progress", "prosody", "q", "ruby", "s", "samp", "say-as", "sentence", "small", "source", "span", "strike", "strong",
        "sub", "sup", "td", "th",
        "time", "token", "track", "tt", "u", "var", "voice", "w", "wbr",
    ]

    static let known = silent.union(blocks).union(plain)
}
