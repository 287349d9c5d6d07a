/// A model's files, as far as they are known before it is loaded.
public struct ModelFiles: Sendable {
    /// `llama`, `qwen2` …
    public var architecture: String?
    public var bytes: Int64
    /// Seconds since 1970.
    public var changed: Double
    /// `gguf` or `safetensors`.
    public var format: String

    public init(architecture: String?, bytes: Int64, changed: Double, format: String) {
        (self.architecture, self.bytes, self.changed, self.format) = (architecture, bytes, changed, format)
    }
}
