import OmniAPI

/// How a model's vectors for tokens become one for the text, as sentence-transformers' `modules.json` says.
enum Pooling: UInt32, Sendable {
    case mean = 1, cls, last
    /// A head for classes.
    case rank

    /// Nil where the folder does not say. Throws ``ConversionError`` for a way that libllama does not have.
    init?(_ checkpoint: Checkpoint) throws(ConversionError) {
        let modules = try Checkpoint.json("\(checkpoint.folder)/modules.json")?.arrayValue ?? []
        guard let path = modules.first(where: { $0["type"]?.stringValue?.hasSuffix("Pooling") == true })?["path"]?.stringValue else {
            return nil
        }
        let file = "\(checkpoint.folder)/\(path)/config.json"
        guard !path.hasPrefix("/"), !path.contains(".."), let config = try Checkpoint.json(file) else {
            throw ConversionError(.missing, file, "It is not there.")
        }
        let modes: [(String, Pooling)] = [("mean_tokens", .mean), ("cls_token", .cls), ("lasttoken", .last)]
        let words: [String: Pooling] = ["mean": .mean, "cls": .cls, "lasttoken": .last]
        let chosen =
            modes.first { config["pooling_mode_\($0.0)"] == .bool(true) }?.1 ?? config["pooling_mode"]?.stringValue.flatMap { words[$0] }
        guard let chosen else { throw ConversionError(.unsupported, file, "It pools in a way that cannot be run: \(config.jsonText)") }
        self = chosen
    }
}
