import CLlama
import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// ggml's back end for one kind of CPU, where each is a library of its own in `lib/omni` of an installation (`libggml-cpu-haswell.so` …). In
/// a build for the machine at hand it is linked, and there are none of these.
public struct CPULibrary: Sendable, Hashable {
    /// What `OMNI_GGML_CPU` calls it.
    public let name: String
    let path: String
    /// ggml's own number for how much of the CPU it uses; zero where it does not run here.
    let score: Int32

    public var runs: Bool { score > 0 }

    /// All of this installation, plainest first.
    public static let all = inside(ComputeDevice.programFolder.deletingLastPathComponent().appending(path: "lib/omni").path)

    /// What this process computes with: what `OMNI_GGML_CPU` names, the plainest with `OMNI_CPU=baseline`, else the one that uses most of
    /// the CPU. Nil where ggml's back end for the CPU is linked.
    ///
    /// - Throws: ``UnknownCPULibrary`` for a name that is not there or does not run here.
    public static func chosen(
        of all: [CPULibrary] = all, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(UnknownCPULibrary) -> CPULibrary? {
        let runnable = all.filter(\.runs)
        if let name = environment["OMNI_GGML_CPU"], !name.isEmpty {
            guard let found = runnable.first(where: { $0.name == name.lowercased() }) else {
                throw UnknownCPULibrary(name: name, runnable: runnable.map(\.name), exists: all.contains { $0.name == name.lowercased() })
            }
            return found
        }
        return environment["OMNI_CPU"]?.lowercased() == "baseline" ? runnable.first : runnable.last
    }

    /// Those of `folder`: each is loaded to be asked for its score, and let go.
    static func inside(_ folder: String) -> [CPULibrary] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return files.compactMap { file -> CPULibrary? in
            guard file.hasPrefix(prefix), file.hasSuffix(suffix) else { return nil }
            let path = "\(folder)/\(file)"
            return CPULibrary(name: String(file.dropFirst(prefix.count).dropLast(suffix.count)), path: path, score: score(of: path))
        }.sorted { ($0.score, $0.name) < ($1.score, $1.name) }
    }

    private static let prefix = "libggml-cpu-", suffix = ".so"

    private static func score(of path: String) -> Int32 {
        guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else { return 0 }
        defer { dlclose(library) }
        guard let symbol = dlsym(library, "ggml_backend_score") else { return 0 }
        return unsafeBitCast(symbol, to: (@convention(c) () -> Int32).self)()
    }
}

/// `OMNI_GGML_CPU` names what does not run here.
public struct UnknownCPULibrary: Error, Sendable, Equatable, CustomStringConvertible {
    public let name: String
    public let runnable: [String]
    /// Whether the build has it, for other CPUs.
    public let exists: Bool

    public var description: String {
        if runnable.isEmpty {
            return "OMNI_GGML_CPU=\(name): this build has one back end for the CPU, the one that it was made for; unset it"
        }
        return
            "OMNI_GGML_CPU=\(name): \(exists ? "this CPU does not run it" : "there is none"); it runs \(runnable.joined(separator: ", "))"
    }
}
