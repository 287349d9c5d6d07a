/// OpenAI's `prediction`: text that much of the answer is expected to repeat, such as a file that is to be changed in few places.
public struct PredictedOutput: WireObject, Equatable {
    public var type = "content"
    public var content = ChatContent.text("")

    public init() {}
    public init(_ text: String) { content = .text(text) }

    public static var fields: [Field<PredictedOutput>] {
        [
            .required("type", \.type, .string, "Always `content`."),
            .required("content", \.content, .chatContent, "The text, or a list of text parts."),
        ]
    }

    public func validate(at path: WirePath) throws {
        guard type == "content" else { throw APIError.field(path.appending("type"), "must be `content`, not `\(type)`.") }
        guard case .parts(let parts) = content else { return }
        for (place, part) in parts.enumerated() {
            if case .text = part { continue }
            throw APIError.field(path.appending("content").appending(place), "must be a text part, not `\(part.wireName)`.")
        }
    }
}
