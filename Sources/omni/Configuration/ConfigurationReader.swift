import OmniEngine
import Yams

/// Walks the YAML of a configuration file. Every fault names the line that holds it.
struct ConfigurationReader {
    let file: String
    /// Long names of `omni serve`'s flags, without dashes.
    let serveFlags: Set<String>
    private var ignored: [String] = []

    init(file: String, serveFlags: Set<String>) {
        self.file = file
        self.serveFlags = serveFlags
    }

    private static let sections = ["models", "backends", "voices", "pipelines", "api-keys"]

    mutating func document(_ root: Node) throws -> ConfigurationFile {
        var result = ConfigurationFile()
        for (key, value) in try members(root, of: "the file") {
            switch try name(key) {
            case "models": result.models = try list(value, "models").map { try model($0) }
            case "backends": result.backends = try list(value, "backends").map { try backend($0) }
            case "voices":
                for (alias, voice) in try members(value, of: "voices") {
                    result.voices[try self.text(alias, "an alias")] = try text(voice, "a voice")
                }
            case "pipelines": result.pipelines = try list(value, "pipelines").map { try pipeline($0) }
            case "api-keys": result.keys = try keys(value)
            case let flag: try self.flag(flag, key, value, into: &result.flags, beside: Self.sections)
            }
        }
        result.ignored = ignored
        try checkNames(result, root)
        return result
    }

    private mutating func model(_ node: Node) throws -> ConfigurationFile.Model {
        // A plain text is a model with nothing to say about it.
        if let path = node.scalar?.string { return ConfigurationFile.Model(path: path) }
        var model = ConfigurationFile.Model(path: "")
        for (key, value) in try members(node, of: "a model") {
            switch try name(key) {
            case "id": model.id = try text(value, "id")
            case "path", "model": model.path = try text(value, "path")
            case "kind":
                let kind = try text(value, "kind")
                model.kind = ModelKind(rawValue: kind)
                guard model.kind != nil else {
                    throw fault(value, "kind is \(kind); it must be one of \(ModelKind.allCases.map(\.rawValue).joined(separator: ", "))")
                }
            case "aliases": model.aliases = try texts(value, "aliases")
            case "default": model.isDefault = try bool(value, "default")
            case "pin": model.pin = try bool(value, "pin")
            case "flags":
                for (flag, value) in try members(value, of: "flags") {
                    try self.flag(try name(flag), flag, value, into: &model.flags, beside: [])
                }
            case let other: throw unknown(other, key, known: ["id", "path", "kind", "aliases", "default", "pin", "flags"])
            }
        }
        guard !model.path.isEmpty else { throw fault(node, "a model needs a path: a GGUF file, a folder, a Hub id or a starter's name") }
        return model
    }

    private func backend(_ node: Node) throws -> ConfigurationFile.Backend {
        var backend = ConfigurationFile.Backend(id: "", urls: [])
        for (key, value) in try members(node, of: "a backend") {
            switch try name(key) {
            case "id": backend.id = try text(value, "id")
            case "urls", "url": backend.urls = try texts(value, "urls")
            case let other: throw unknown(other, key, known: ["id", "urls"])
            }
        }
        guard !backend.id.isEmpty, !backend.urls.isEmpty else { throw fault(node, "a backend needs an id and urls") }
        for url in backend.urls where !url.hasPrefix("http://") && !url.hasPrefix("https://") {
            throw fault(node, "\(url) is no http(s) address")
        }
        return backend
    }

    private func pipeline(_ node: Node) throws -> ConfigurationFile.Pipeline {
        var pipeline = ConfigurationFile.Pipeline(id: "", chat: "", speech: "")
        for (key, value) in try members(node, of: "a pipeline") {
            switch try name(key) {
            case "id": pipeline.id = try text(value, "id")
            case "chat": pipeline.chat = try text(value, "chat")
            case "speech": pipeline.speech = try text(value, "speech")
            case let other: throw unknown(other, key, known: ["id", "chat", "speech"])
            }
        }
        guard ![pipeline.id, pipeline.chat, pipeline.speech].contains("") else {
            throw fault(node, "a pipeline needs an id, a chat model and a speech model")
        }
        return pipeline
    }

    private mutating func flag(
        _ name: String, _ key: Node, _ value: Node, into flags: inout [String: [String]], beside sections: [String]
    ) throws {
        guard serveFlags.contains(name) else {
            guard VLLMFlags.isIgnored("--\(name)") else { throw unknown(name, key, known: sections + serveFlags) }
            return ignored.append(name)
        }
        guard name != "config" else { throw fault(key, "a configuration file cannot name another") }
        if let switched = value.scalar.flatMap(Bool.construct(from:)) {
            flags[name] = switched ? [] : nil
        } else {
            flags[name] = try texts(value, name)
        }
    }

    /// A name stands for one thing.
    private func checkNames(_ result: ConfigurationFile, _ root: Node) throws {
        var seen: Set<String> = []
        let names =
            result.models.flatMap { [$0.id].compactMap(\.self) + $0.aliases } + result.backends.map(\.id) + result.pipelines.map(\.id)
        for name in names where !seen.insert(name).inserted { throw fault(root, "the name \(name) is given twice") }
    }
}

/// Reading single values.
extension ConfigurationReader {
    func members(_ node: Node, of place: String) throws -> [(Node, Node)] {
        guard let mapping = node.mapping else { throw fault(node, "\(place) must be a mapping of names to values") }
        return mapping.map { ($0.key, $0.value) }
    }

    func list(_ node: Node, _ place: String) throws -> [Node] {
        guard let sequence = node.sequence else { throw fault(node, "\(place) must be a list") }
        return Array(sequence)
    }

    /// A key; underscores count as dashes, as on the command line.
    func name(_ node: Node) throws -> String { try text(node, "a name").replacing("_", with: "-") }

    func text(_ node: Node, _ place: String) throws -> String {
        guard let text = node.scalar?.string, !text.isEmpty else { throw fault(node, "\(place) must be a text") }
        return text
    }

    func texts(_ node: Node, _ place: String) throws -> [String] {
        if let sequence = node.sequence { return try sequence.map { try text($0, "an element of \(place)") } }
        return [try text(node, place)]
    }

    func bool(_ node: Node, _ place: String) throws -> Bool {
        guard let value = node.scalar.flatMap(Bool.construct(from:)) else { throw fault(node, "\(place) must be true or false") }
        return value
    }

    func unknown(_ name: String, _ key: Node, known: some Collection<String>) -> ConfigurationError {
        fault(key, "\(name) is not known" + (NearestName.of(name, among: Array(known)).map { "; did you mean \($0)?" } ?? ""))
    }

    func fault(_ node: Node, _ problem: String) -> ConfigurationError {
        ConfigurationError(file: file, line: node.mark?.line, problem: problem)
    }
}
