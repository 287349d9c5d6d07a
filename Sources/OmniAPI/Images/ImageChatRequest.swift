/// `POST /v1/chat/completions` to a model that draws: the prompt and the input pictures come from the messages, the parameters
/// stand at the top level or in `extra_body`.
public struct ImageChatRequest: Sendable {
    public let chat: ChatCompletionRequest
    public let parameters: ImageChatParameters
    /// Fields that are taken and have no effect.
    public let unused: [String]

    /// Decodes and checks `json`, a chat request's body.
    ///
    /// - Throws: ``APIError`` also for a parameter that is given in two places, even with equal values.
    public init(json: JSONValue, ignored: inout IgnoredFields) throws {
        guard case .object(let top) = json else { throw APIError.field(.body, "must be an object, not \(json.typeName).") }
        let nestedPath = WirePath.body.appending("extra_body")
        let nested = try Self.object(top["extra_body"], nestedPath)
        var given: [String: String] = [:]
        var merged = JSONObject()
        var extras = JSONObject()
        for (place, object, path) in [("request", top, WirePath.body), ("request.extra_body", nested, nestedPath)] {
            for (key, value) in object.members where ImageChatParameters.names.contains(key) && !value.isNull {
                try Self.note(ImageChatParameters.canonical[key] ?? key, "\(place).\(key)", in: &given)
                merged[key] = value
            }
            for name in ["extra_args", "extra_params"] {
                for (key, value) in try Self.object(object[name], path.appending(name)).members {
                    try Self.note("extra_args.\(key)", "\(place).\(name).\(key)", in: &given)
                    extras[key] = value
                }
            }
        }
        if !extras.isEmpty { merged["extra_params"] = .object(extras) }
        var unknown = IgnoredFields()
        chat = try ChatCompletionRequest(json: json, ignored: &unknown)
        guard chat.messages.contains(where: { $0.role == .user }) else {
            throw APIError.field(.body.appending("messages"), "must have a message of the role user: it says what to draw.")
        }
        // Checked first where it stands, so that an error names its place.
        if let logprobs = nested["logprobs"], !logprobs.isNull {
            _ = try WireType<Bool>.bool.decode(logprobs, nestedPath.appending("logprobs"))
        }
        let inside = nested.members.filter { ImageChatParameters.names.contains($0.key) }
        _ = try ImageChatParameters(json: .object(JSONObject(inside.map { ($0.key, $0.value) })), at: nestedPath)
        parameters = try ImageChatParameters(json: .object(merged))
        let read = ImageChatParameters.names.union(["extra_body", "extra_args", "extra_params"])
        let without =
            ["n", "temperature", "max_tokens", "max_completion_tokens", "top_p", "stop", "logprobs"] + ImageChatParameters.unusedNames
        unused = without.filter { top[$0] != nil || nested[$0] != nil }
        ignored.names += unknown.names.filter { !read.contains($0) }
        ignored.names += nested.keys.filter { !read.contains($0) }.map { "extra_body.\($0)" }
    }

    /// Text of all user messages, joined with one blank.
    public var prompt: String {
        let texts = chat.messages.filter { $0.role == .user }.compactMap { $0.content?.text }
        var joined = texts.joined(separator: " ")[...]
        while joined.first?.isWhitespace ?? false { joined.removeFirst() }
        while joined.last?.isWhitespace ?? false { joined.removeLast() }
        return String(joined)
    }

    /// URLs of the user's pictures, in order.
    public var pictures: [String] {
        chat.messages.filter { $0.role == .user }.flatMap { message -> [String] in
            guard case .parts(let parts) = message.content else { return [] }
            return parts.compactMap { if case .image(let url) = $0 { url } else { nil } }
        }
    }

    /// Whether a chat body that names no model asks for a picture.
    public static func asksForPicture(_ json: JSONValue) -> Bool {
        if json["modalities"]?.arrayValue?.contains("image") ?? false { return true }
        let telling = ["size", "height", "width", "num_inference_steps", "guidance_scale", "negative_prompt"]
        return telling.contains { json[$0] != nil || json["extra_body"]?[$0] != nil }
    }

    private static func object(_ value: JSONValue?, _ path: WirePath) throws -> JSONObject {
        switch value {
        case nil, .null?: return JSONObject()
        case .object(let object)?: return object
        case .some(let other): throw APIError.field(path, "must be an object, not \(other.typeName).")
        }
    }

    private static func note(_ key: String, _ place: String, in given: inout [String: String]) throws {
        if let earlier = given.updateValue(place, forKey: key) {
            throw APIError(
                .invalidRequest, "Diffusion request parameters were provided more than once: \"\(key)\": \(earlier), \(place).",
                remedy: "Give each parameter in one place.")
        }
    }
}

/// What a chat request may say about its pictures.
public struct ImageChatParameters: DrawingRequest {
    public var width: Int?
    public var height: Int?
    public var size: ImageSize?
    public var resolution: Int?
    public var count = 1
    public var strength: Double?
    public var drawing = DrawingParameters()

    public init() {}

    private enum Quality: String, CaseIterable, Sendable { case lossless, high }

    public static let unusedNames = ["quality", "guidance_scale_2", "num_frames", "layers"]

    /// Every name that is read, in either place.
    static let names: Set<String> = Set(fields.flatMap(\.names)).subtracting(["extra_params"])
    /// Other names of one parameter.
    static let canonical = ["cfg_scale": "true_cfg_scale"]

    public static var fields: [Field<ImageChatParameters>] {
        let side = WireType<Int>.integer(1...ImageSize.longestSide)
        return [
            .optional("width", \.width, side), .optional("height", \.height, side),
            .optional("size", \.size, .imageSize(anyCase: true), "height and width win over it."),
            .optional(
                "resolution", \.resolution, .integer(1...ImageSize.longestSide),
                "Pixels a side of the square whose area the picture shall have."),
            .with(default: 1, "num_outputs_per_prompt", \.count, .integer(1...10)),
            .optional("strength", \.strength, .number(0...1)),
            .unused("quality", WireType<Quality>.choice), .unused("guidance_scale_2", .number()), .unused("num_frames", .integer()),
            .unused("layers", .integer(2...10)),
        ]
            + drawingFields(\.drawing, guidance: 0...1000, lora: .adapters, extra: .openObject).map { field in
                field.name == "true_cfg_scale"
                    ? .optional("true_cfg_scale", \.drawing.trueGuidanceScale, .number(0...1000), aliases: ["cfg_scale"]) : field
            }
    }
}
