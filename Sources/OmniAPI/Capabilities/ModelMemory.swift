/// The memory of a loaded model, bytes.
public struct ModelMemory: WireObject, Equatable {
    /// Held by the process that serves the model, pages of mapped files among them.
    public var resident: Int?
    public var weights: Int?
    /// Keys and values of running and kept requests.
    public var cache: Int?
    /// What a step computes with; models that draw tell it per request, as `memory` of their section.
    public var compute: Int?

    public init() {}

    public static var fields: [Field<ModelMemory>] {
        [
            .optional(
                "resident_bytes", \.resident, .integer(0 ... .max), "Held now by the model's process, pages of mapped files among them."),
            .optional("weights_bytes", \.weights, .integer(0 ... .max), "Set aside for weights. Pages are taken as they are used."),
            .optional("kv_cache_bytes", \.cache, .integer(0 ... .max), "Set aside for keys and values."),
            .optional("compute_bytes", \.compute, .integer(0 ... .max), "Set aside for what a step computes with."),
        ]
    }
}
