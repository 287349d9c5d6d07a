import Foundation
import OmniAPI

/// Where a `$ref` leads within its document.
struct SchemaPointer {
    /// The reference without its escapes, the same for all that lead to one place.
    let text: String
    let target: JSONValue
    /// A name for the place, of letters, digits and underscores.
    let name: String

    /// Takes `#`, `#/a/b` with `~0`, `~1` and percent signs, `#anchor`, and the document's own `$id` before any of them.
    init(_ reference: JSONValue, in root: JSONObject) throws(FollowedSchema.Fault) {
        guard var text = reference.stringValue else { throw .init(reason: "`$ref` is no string") }
        if let id = root["$id"]?.stringValue, text == id || text.hasPrefix(id + "#") {
            text = text == id ? "#" : String(text.dropFirst(id.count))
        }
        guard text.hasPrefix("#") else { throw .init(reason: "the reference `\(text.prefix(80))` leads out of the schema") }
        let fragment = text.dropFirst()
        let decoded = String(fragment).removingPercentEncoding ?? String(fragment)
        guard
            let found = fragment.isEmpty
                ? .object(root) : fragment.first == "/" ? Self.walk(decoded, from: root) : Self.anchor(decoded, in: .object(root))
        else {
            throw .init(reason: "the reference `\(text.prefix(80))` leads nowhere")
        }
        target = found
        self.text = "#" + decoded
        let isLetter: (Character) -> Bool = { $0.isASCII && ($0.isLetter || $0.isNumber) }
        let words = decoded.split(separator: "/").last?.split { !isLetter($0) } ?? []
        // The converter takes any run of other characters for one.
        name = words.isEmpty ? "whole" : words.joined(separator: "_")
    }

    private static func walk(_ path: String, from root: JSONObject) -> JSONValue? {
        path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().reduce(JSONValue.object(root) as JSONValue?) {
            value, step in
            let key = String(step).replacing("~1", with: "/").replacing("~0", with: "~")
            switch value {
            case .object(let object): return object[key]
            case .array(let list): return Int(key).flatMap { list.indices.contains($0) ? list[$0] : nil }
            default: return nil
            }
        }
    }

    private static func anchor(_ name: String, in value: JSONValue) -> JSONValue? {
        switch value {
        case .object(let object):
            if object["$anchor"]?.stringValue == name || object["$id"]?.stringValue == "#" + name { return value }
            return object.members.lazy.compactMap { anchor(name, in: $0.1) }.first
        case .array(let list): return list.lazy.compactMap { anchor(name, in: $0) }.first
        default: return nil
        }
    }
}
