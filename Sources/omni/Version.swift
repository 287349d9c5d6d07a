import CLlama

/// What this program is, and what it was built with.
enum Version {
    static let number = "0.1.0"

    /// For `--version`.
    static var text: String {
        "swift-omni \(number)\nggml \(String(cString: ggml_version())) (\(String(cString: ggml_commit())))\nllama.cpp \(String(cString: llama_version()))"
    }

    /// The native libraries that this program found.
    static var libraries: String { "ggml \(String(cString: ggml_version())), llama.cpp \(String(cString: llama_version()))" }
}
