import Foundation
import Subprocess

/// The native libraries in `deps/`: there, of the pinned version, and built for this CPU.
struct NativeCheck {
    /// The folder with `native.lock`; nil for an installed program.
    let checkout: URL?

    func run() async -> [Finding] {
        guard let checkout else {
            return [.fine("native build", Version.libraries + ", installed")]
        }
        let rebuild = "Run `make setup` in \(checkout.path)."
        let deps = checkout.appending(path: "deps")
        let lock = KeyValueFile(checkout.appending(path: "native.lock"))
        guard let build = KeyValueFile(ifPresent: deps.appending(path: "BUILD")) else {
            return [.fault("native build", "\(deps.path) holds no finished build", remedy: rebuild)]
        }
        var findings: [Finding] = []
        let version = build["LLAMA_VERSION"] ?? "unknown", key = build["KEY"] ?? "unknown"
        if let pinned = lock["LLAMA_VERSION"], pinned != version {
            findings.append(.fault("native build", "it is version \(version), and native.lock pins \(pinned)", remedy: rebuild))
        } else if let wanted = await wantedKey(checkout, lock: lock, build: build), wanted != key {
            findings.append(
                .fault(
                    "native build",
                    "it was made for another CPU or with other flags (\(key); here it would be \(wanted)) and may stop with an illegal instruction",
                    remedy: rebuild))
        } else {
            findings.append(.fine("native build", "\(lock["LLAMA_PACKAGE"] ?? "llama.cpp") \(version), key \(key)"))
        }
        findings.append(libraries(deps.appending(path: "lib"), rebuild))
        if let pinned = lock["SHERPA_VERSION"] { findings.append(voices(checkout.appending(path: "deps-sherpa"), pinned: pinned, rebuild)) }
        if let pinned = lock["WHISPER_CPP_VERSION"] {
            findings.append(whisper(checkout.appending(path: "deps-whisper"), pinned: pinned, rebuild))
        }
        return findings
    }

    /// whisper.cpp, which transcription runs on.
    private func whisper(_ folder: URL, pinned: String, _ rebuild: String) -> Finding {
        guard let version = KeyValueFile(ifPresent: folder.appending(path: "BUILD"))?["WHISPER_CPP_VERSION"] else {
            return .fault("whisper.cpp", "\(folder.path) holds no libraries", remedy: rebuild)
        }
        guard version == pinned else {
            return .fault("whisper.cpp", "it is version \(version), and native.lock pins \(pinned)", remedy: rebuild)
        }
        return .fine("whisper.cpp", version)
    }

    /// sherpa-onnx and ONNX Runtime, which voices run on.
    private func voices(_ folder: URL, pinned: String, _ rebuild: String) -> Finding {
        guard let version = KeyValueFile(ifPresent: folder.appending(path: "BUILD"))?["SHERPA_VERSION"] else {
            return .fault("sherpa-onnx", "\(folder.path) holds no libraries", remedy: rebuild)
        }
        guard version == pinned else {
            return .fault("sherpa-onnx", "it is version \(version), and native.lock pins \(pinned)", remedy: rebuild)
        }
        return .fine("sherpa-onnx", version)
    }

    /// The cache key that the build script would use now, with the extra flags that the build was made with.
    private func wantedKey(_ checkout: URL, lock: KeyValueFile, build: KeyValueFile) async -> String? {
        let extra = (build["FLAGS"] ?? "").trimmingPrefix(lock["LLAMA_CMAKE_FLAGS"] ?? "").trimmingPrefix(" ")
        let script = checkout.appending(path: "scripts/native.sh").path
        return await Tool.output("bash", [script, "--key"], environment: ["OMNI_NATIVE_FLAGS": String(extra)])?
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Versions are in the libraries' file names: `libggml-base.so.0.25.3`, `libllama.0.5.0.dylib`.
    private func libraries(_ folder: URL, _ rebuild: String) -> Finding {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        var found: [String] = [], missing: [String] = []
        for (name, title) in [("ggml-base", "ggml"), ("llama", "llama.cpp"), ("mtmd", "libmtmd"), ("llama-common", "llama-common")] {
            let versions = files.compactMap { file -> String? in
                guard file.hasPrefix("lib\(name).") else { return nil }
                return file.firstMatch(of: /(\d+\.\d+\.\d+)/).map { String($0.output.1) }
            }
            if let version = versions.max(by: { $0.count < $1.count }) {
                found.append("\(title) \(version)")
            } else if !files.contains(where: { $0.hasPrefix("lib\(name).") }) {
                missing.append("lib\(name)")
            }
        }
        guard missing.isEmpty else {
            return .fault("libraries", "missing in \(folder.path): \(missing.joined(separator: ", "))", remedy: rebuild)
        }
        return .fine("libraries", found.joined(separator: ", "))
    }
}

/// `KEY=VALUE` lines with optional double quotes, as `native.lock` and `deps/BUILD` have them.
struct KeyValueFile {
    private var values: [String: String] = [:]

    /// Empty when the file cannot be read.
    init(_ file: URL) { self = KeyValueFile(ifPresent: file) ?? KeyValueFile(text: "") }

    init?(ifPresent file: URL) {
        guard let text = try? String(contentsOf: file, encoding: .utf8) else { return nil }
        self.init(text: text)
    }

    init(text: String) {
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let pair = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2 else { continue }
            values[String(pair[0])] = pair[1].trimmingCharacters(in: CharacterSet(charactersIn: "\""))
        }
    }

    subscript(key: String) -> String? { values[key] }
}
