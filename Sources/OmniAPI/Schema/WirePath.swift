/// Where in a request a value stands: `body.items.0.speed`. Built lazily, since most requests are right.
public indirect enum WirePath: Sendable {
    case root(String)
    case member(WirePath, String)
    case element(WirePath, Int)

    public static let body = WirePath.root("body")

    public func appending(_ key: String) -> WirePath { .member(self, key) }
    public func appending(_ index: Int) -> WirePath { .element(self, index) }

    public var text: String {
        switch self {
        case .root(let name): name
        case .member(let parent, let key): "\(parent.text).\(key)"
        case .element(let parent, let index): "\(parent.text).\(index)"
        }
    }

    /// The path without its root, as people name fields.
    var fieldName: String {
        switch self {
        case .root(let name): name
        default: text.split(separator: ".", maxSplits: 1).last.map(String.init) ?? text
        }
    }
}
