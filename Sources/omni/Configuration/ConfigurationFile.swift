import Foundation
import OmniAccess
import OmniEngine
import Yams

/// What `--config FILE.yaml` says. The command line's flags win over it.
///
/// ```yaml
/// models:
///   - {id: chat, path: ./qwen.gguf, aliases: [gpt-4o], default: true, flags: {max-model-len: 8192}}
/// backends:
///   - {id: big, urls: ["http://10.0.0.5:8091"]}
/// voices: {alloy: joe}
/// pipelines:
///   - {id: talk, chat: chat, speech: joe}
/// port: 8091
/// api-keys:
///   - {name: ci, key: "sha256:…", requests-per-minute: 60}
/// ```
struct ConfigurationFile: Sendable, Equatable {
    /// A model served from this machine.
    struct Model: Sendable, Equatable {
        /// The name in requests; nil takes the name that its files give.
        var id: String?
        /// A path, Hub id or starter name.
        var path: String
        var kind: ModelKind?
        var aliases: [String] = []
        /// Answers requests of its kind that name no model.
        var isDefault = false
        /// Never unloaded for being idle.
        var pin = false
        /// Serve flags for this model alone, by long name without dashes.
        var flags: [String: [String]] = [:]
    }

    /// A model served elsewhere, at one or more addresses.
    struct Backend: Sendable, Equatable {
        var id: String
        var urls: [String]
    }

    /// A chat model whose answers a voice speaks.
    struct Pipeline: Sendable, Equatable {
        var id: String
        var chat: String
        var speech: String
    }

    var models: [Model] = []
    var backends: [Backend] = []
    /// Voice by alias.
    var voices: [String: String] = [:]
    var pipelines: [Pipeline] = []
    /// API keys with names; see ``KeysFile`` for what can be said of one.
    var keys: [APIKey] = []
    /// Serve flags by long name without dashes. A switch that is on has no values; one that is off is not here.
    var flags: [String: [String]] = [:]
    /// Flags of vLLM that mean nothing here.
    var ignored: [String] = []

    /// The flags as a command line, without those in `given` (long names without dashes), which stand on the real one.
    func arguments(excluding given: Set<String> = []) -> [String] {
        flags.sorted { $0.key < $1.key }.filter { !given.contains($0.key) }.flatMap { ["--\($0.key)"] + $0.value }
    }
}

/// A fault in a configuration file, with its line.
struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    var file: String
    var line: Int?
    var problem: String

    var description: String { "\(file)\(line.map { ":\($0)" } ?? ""): \(problem)" }
}

extension ConfigurationFile {
    /// Longest file that is read, bytes.
    static let maximumSize = 1 << 20

    /// Reads and checks a file. `serveFlags` are the long names of `omni serve`'s flags, without dashes. Paths stay as written.
    static func load(_ path: String, serveFlags: Set<String>) throws -> ConfigurationFile {
        try parse(text(of: path), file: path, serveFlags: serveFlags)
    }

    /// A file's text. Throws ``ConfigurationError``.
    static func text(of path: String) throws -> String {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw ConfigurationError(file: path, line: nil, problem: "cannot be read: \(error.localizedDescription)")
        }
        guard data.count <= maximumSize else {
            throw ConfigurationError(file: path, line: nil, problem: "is longer than \(maximumSize) bytes")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// Parses and checks YAML. Throws ``ConfigurationError``, which names the line.
    static func parse(_ text: String, file: String, serveFlags: Set<String>) throws -> ConfigurationFile {
        guard let root = try compose(text, file: file) else { return ConfigurationFile() }
        var reader = ConfigurationReader(file: file, serveFlags: serveFlags)
        return try reader.document(root)
    }

    /// The YAML of a file; nil where it says nothing. Throws ``ConfigurationError``.
    static func compose(_ text: String, file: String) throws -> Node? {
        do {
            guard let root = try Yams.compose(yaml: text), root.scalar?.string != "" else { return nil }
            return root
        } catch let error as YamlError {
            throw ConfigurationError(file: file, line: error.line, problem: error.plainText)
        }
    }
}

extension YamlError {
    /// The line where reading stopped, from 1.
    fileprivate var line: Int? {
        switch self {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): mark.line
        default: nil
        }
    }

    fileprivate var plainText: String {
        switch self {
        case .scanner(_, let problem, _, _), .parser(_, let problem, _, _), .composer(_, let problem, _, _): "is not YAML: \(problem)"
        default: "is not YAML: \(self)"
        }
    }
}
