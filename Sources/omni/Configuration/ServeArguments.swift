import Foundation

/// The command line of `omni serve` before it is parsed: vLLM's flags that mean nothing here are taken out with a warning,
/// unknown ones are refused, and a configuration file's flags are put below those given.
enum ServeArguments {
    /// Long names, without dashes.
    static var ownFlags: Set<String> { Set(VLLMFlags.longNames(of: ServeCommand.self).map { String($0.drop { $0 == "-" }) }) }

    /// `arguments` as the program got them, its own name left out. Other commands pass unchanged.
    static func prepared(_ arguments: [String]) throws -> [String] {
        guard arguments.first == "serve" else { return arguments }
        let split = VLLMFlags.split(Array(arguments.dropFirst()), own: VLLMFlags.longNames(of: ServeCommand.self))
        guard split.unknown.isEmpty else { throw Failure(split.unknown.map(\.description).joined(separator: "\n")) }
        if let warning = split.warning { FileHandle.standardError.write(Data("warning: \(warning)\n".utf8)) }
        guard let path = value(of: "config", in: split.kept) else { return ["serve"] + split.kept }
        let file = try ConfigurationFile.load(path, serveFlags: ownFlags)
        let given = Set(split.kept.filter { $0.hasPrefix("--") }.map { String($0.dropFirst(2).prefix { $0 != "=" }) })
        // Positional models first: a list flag from the file would swallow them.
        return ["serve"] + split.kept + file.arguments(excluding: given)
    }

    private static func value(of flag: String, in arguments: [String]) -> String? {
        for (place, word) in arguments.enumerated() {
            if word == "--\(flag)", place + 1 < arguments.count { return arguments[place + 1] }
            if word.hasPrefix("--\(flag)=") { return String(word.dropFirst(flag.count + 3)) }
        }
        return nil
    }
}
