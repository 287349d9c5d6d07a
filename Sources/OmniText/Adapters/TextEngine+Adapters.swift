import OmniAPI
import OmniEngine

extension TextEngine {
    /// The file of the adapter that a request asks for. Throws ``APIError`` for one that does not fit the model.
    func adapter(_ scope: RequestScope) async throws -> AdapterFile? {
        guard let wanted = scope.adapter else { return nil }
        guard let find = options.adapterFile else {
            throw APIError(.notFound, "The model takes no adapters.", remedy: "Start the server with --enable-lora.", param: "model")
        }
        return try await find(wanted)
    }
}
