import Foundation

/// The chat form of the Qwen models, `<|im_start|>role … <|im_end|>`, which diffusion pipelines put round a prompt.
public struct ChatML: Sendable {
    /// The form itself, whatever a tokenizer's template says: for pipelines that bring their own words.
    public init() {}

    /// Checks a template that is known already, as from the metadata of a GGUF at `path`.
    ///
    /// - Throws: ``TokenizerError`` for another form.
    public init(template: String, path: String) throws {
        guard template.contains("<|im_start|>"), template.contains("<|im_end|>") else {
            throw TokenizerError(path: path, reason: "has a chat template of another form than <|im_start|>role … <|im_end|>")
        }
    }

    /// Checks that the tokenizer in `folder` uses this form: its template must hold the two markers.
    ///
    /// - Throws: ``TokenizerError`` where the template is another, or there is none.
    public init(tokenizer folder: String) throws {
        let path = "\(folder)/chat_template.jinja"
        let template = try Self.template(path) ?? Self.templateInConfig("\(folder)/tokenizer_config.json")
        guard let template else { throw TokenizerError(path: folder, reason: "has no chat template") }
        try self.init(template: template, path: folder)
    }

    /// One user message and the start of the answer.
    ///
    /// - Parameters:
    ///   - system: a system message that goes before; nil for none.
    ///   - thinks: whether the answer may begin with thoughts, for which the template adds nothing; else it has empty ones already.
    public func prompt(_ text: String, system: String? = nil, thinks: Bool = true) -> String {
        let before = system.map { "<|im_start|>system\n\($0)<|im_end|>\n" } ?? ""
        return "\(before)<|im_start|>user\n\(text)<|im_end|>\n<|im_start|>assistant\n\(thinks ? "" : "<think>\n\n</think>\n\n")"
    }

    private static func template(_ path: String) throws -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func templateInConfig(_ path: String) throws -> String? {
        struct Config: Decodable { let chat_template: String? }
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        return try? JSONDecoder().decode(Config.self, from: data).chat_template
    }
}
