import ArgumentParser

/// The flags of `vllm serve` that mean nothing here, so that a line written for vLLM or vLLM-Omni works with only the program's
/// name changed; and the sorting of a command line by them.
enum VLLMFlags {
    /// How many words after a flag belong to it.
    enum Values: Sendable, Equatable {
        case none, one
        /// As many as come before the next flag.
        case many
        /// One, unless the next word is a flag.
        case optional
    }

    /// A flag that was taken off the command line.
    struct Ignored: Sendable, Equatable {
        var flag: String
        var values: [String]
    }

    /// A flag that nothing here understands.
    struct Unknown: Sendable, Equatable, CustomStringConvertible {
        var flag: String
        /// The known flag that was probably meant.
        var nearest: String?
        /// vLLM has it, and leaving it out would change what the user gets.
        var isVLLM: Bool

        var description: String {
            if isVLLM { return "\(flag) is a flag of vLLM that swift-omni does not support" }
            return "unknown flag \(flag)" + (nearest.map { "; did you mean \($0)?" } ?? "")
        }
    }

    /// A command line, sorted.
    struct Split: Sendable, Equatable {
        var kept: [String] = []
        var ignored: [Ignored] = []
        var unknown: [Unknown] = []

        /// One line for the log, nil when nothing was ignored.
        var warning: String? {
            guard !ignored.isEmpty else { return nil }
            return "ignored, because they have no meaning here: " + ignored.map(\.flag).joined(separator: ", ")
        }
    }

    /// Sorts `arguments`: flags in `own` (long names with their dashes) and plain words are kept, flags of the table are taken
    /// off with their values, all others are reported. As in vLLM underscores in a flag's name count as dashes.
    static func split(_ arguments: [String], own: Set<String>) -> Split {
        var split = Split()
        var rest = arguments[...]
        while let word = rest.popFirst() {
            if word == "--" {
                split.kept += ["--"] + rest
                break
            }
            guard isFlag(word) else {
                split.kept.append(word)
                continue
            }
            let (name, value) = parts(word)
            if own.contains(name) || (!name.hasPrefix("--") && shortForms[name] == nil) {
                split.kept.append(value.map { "\(name)=\($0)" } ?? name)
            } else if let values = values(of: name) {
                let taken = value.map { [$0] } ?? take(values, from: &rest)
                split.ignored.append(Ignored(flag: name, values: taken))
            } else {
                let known = Array(own) + table.keys
                split.unknown.append(
                    Unknown(
                        flag: name, nearest: unsupported.contains(name) ? nil : NearestName.of(name, among: known),
                        isVLLM: unsupported.contains(name)))
            }
        }
        return split
    }

    /// The long flags of a command, read from its help.
    static func longNames(of command: any ParsableCommand.Type) -> Set<String> {
        let help = command.helpMessage(includeHidden: true, columns: 400)
        return Set(help.matches(of: /--[a-z][a-z0-9-]*/).map { String($0.output) })
    }

    /// Whether a flag, in any spelling, means nothing here.
    static func isIgnored(_ flag: String) -> Bool { values(of: parts(flag).name) != nil }

    private static func isFlag(_ word: String) -> Bool {
        // A negative number is a value.
        word.hasPrefix("-") && word != "-" && Double(word) == nil
    }

    private static func parts(_ word: String) -> (name: String, value: String?) {
        let pair = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = word.hasPrefix("--") ? String(pair[0].replacing("_", with: "-")) : String(pair[0])
        return (name, pair.count == 2 ? String(pair[1]) : nil)
    }

    private static func values(of name: String) -> Values? {
        if let values = table[name] ?? shortForms[name] { return values }
        // --compilation-config.level 3 sets one member of a JSON flag.
        if let dot = name.firstIndex(of: "."), table[String(name[..<dot])] != nil { return .one }
        // Every switch of vLLM has its opposite.
        if name.hasPrefix("--no-"), table["--" + name.dropFirst(5)] == Values.none { return Values.none }
        return nil
    }

    private static func take(_ values: Values, from rest: inout ArraySlice<String>) -> [String] {
        switch values {
        case .none: return []
        case .one: return rest.popFirst().map { [$0] } ?? []
        case .optional: return rest.first.map { isFlag($0) } ?? true ? [] : rest.popFirst().map { [$0] } ?? []
        case .many:
            let taken = rest.prefix { !isFlag($0) }
            rest = rest.dropFirst(taken.count)
            return Array(taken)
        }
    }
}
