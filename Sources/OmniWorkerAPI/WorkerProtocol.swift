/// What the gateway and its workers say to each other beside the public API, on the worker's Unix socket only.
///
/// Both are the same program, but not always the same file: one may have been replaced while the server runs.
public enum WorkerProtocol {
    /// Raised whenever an older reader would misunderstand what a newer writer says, or lack what it needs.
    public static let version = 3
    /// Where a worker answers ``WorkerStatus``.
    public static let statusPath = "/internal/status"
    /// Where it answers what its model can do, as `ModelCapabilities`; the query is that of `/v1/capabilities`.
    public static let capabilitiesPath = "/internal/capabilities"
    /// The header of a request for a low-rank adapter of the worker's model; its value is of ``LoRAModule/headerValue``.
    public static let adapterHeader = "x-omni-lora"
}
