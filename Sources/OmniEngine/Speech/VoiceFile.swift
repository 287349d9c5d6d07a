/// A file that a voice consists of.
public struct VoiceFile: Sendable {
    /// How it is called, in its maker's words.
    enum Pattern: Sendable {
        case named(String)
        case beginning(String, String = ".onnx")
        /// Anywhere in the name of an `.onnx`, in any case.
        case containing(String)
        /// One beside which there is another, of the same name and a further ending.
        case paired(String, with: String)
    }

    /// Its place in sherpa-onnx' configuration: `acoustic_model`.
    public let role: String
    let patterns: [Pattern]
    let isOptional: Bool

    /// A pattern that stands first goes first. Without any, the file begins with its role.
    init(_ role: String, _ patterns: Pattern..., isOptional: Bool = false) {
        self.role = role
        self.patterns = patterns.isEmpty ? [.beginning(role)] : patterns
        self.isOptional = isOptional
    }

    /// The file among these names, which are sorted.
    func find(in names: [String]) -> String? {
        for pattern in patterns {
            let fitting = names.filter { pattern.fits($0, names) }
            // Quantised files come first: they are smaller and faster.
            if let found = fitting.first(where: { $0.contains("int8") }) ?? fitting.first { return found }
        }
        return nil
    }

    /// What to look for where it is missing: `lm_flow*.onnx`.
    var description: String { patterns[0].description }
}

extension VoiceFile.Pattern {
    fileprivate func fits(_ name: String, _ names: [String]) -> Bool {
        switch self {
        case .named(let wanted): name == wanted
        case .beginning(let start, let end): name.hasPrefix(start) && name.hasSuffix(end)
        case .containing(let part): name.hasSuffix(".onnx") && name.lowercased().contains(part)
        case .paired(let end, let further): name.hasSuffix(end) && names.contains(name + further)
        }
    }

    fileprivate var description: String {
        switch self {
        case .named(let name): name
        case .beginning(let start, let end): "\(start)*\(end)"
        case .containing(let part): "*\(part)*.onnx"
        case .paired(let end, let further): "*\(end) with *\(end)\(further)"
        }
    }
}

/// What a folder's file names say about the voice in it.
public enum VoiceRecognition: Sendable {
    /// File names by role.
    case known(VoiceKind, VoiceFamily, files: [String: String])
    /// Files of the kind that comes nearest are missing: what they are called.
    case incomplete(VoiceFamily, missing: [String])
    /// There is no ONNX file.
    case none

    /// - Parameter names: of the files in a folder.
    public init(names: [String]) {
        let names = names.sorted()
        guard names.contains(where: { $0.hasSuffix(".onnx") }) else {
            self = .none
            return
        }
        var nearest: (family: VoiceFamily, missing: [String], share: Double)?
        for kind in VoiceKind.all {
            guard case .onnx(let family, let files) = kind.container else { continue }
            let needed = files.filter { !$0.isOptional }
            let missing = needed.filter { $0.find(in: names) == nil }
            guard !missing.isEmpty else {
                let found = files.compactMap { file in file.find(in: names).map { (file.role, $0) } }
                var files = Dictionary(found) { first, _ in first }
                // Piper's own settings.
                if let settings = files["model"].map({ $0 + ".json" }), names.contains(settings) { files["configuration"] = settings }
                self = .known(kind, family, files: files)
                return
            }
            let share = 1 - Double(missing.count) / Double(needed.count)
            if share > nearest?.share ?? 0 { nearest = (family, missing.map(\.description), share) }
        }
        guard let nearest else {
            self = .none
            return
        }
        var missing = nearest.missing
        // A Piper voice has its symbols in either of two files.
        if nearest.family == .piper, let model = VoiceKind.all.lazy.compactMap({ $0.model(in: names) }).first {
            missing = ["tokens.txt (or \(model).json)"]
        }
        self = .incomplete(nearest.family, missing: missing)
    }
}

extension VoiceKind {
    /// The model of a Piper voice.
    fileprivate func model(in names: [String]) -> String? {
        guard case .onnx(.piper, let files) = container else { return nil }
        return files.first?.find(in: names)
    }
}
