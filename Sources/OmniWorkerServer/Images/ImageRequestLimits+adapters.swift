import Foundation
import OmniAPI
import OmniEngine
import OmniRequests

extension ImageRequestLimits {
    /// The adapters that a request asks for. Throws 400 unless their paths, links followed, lie in the folder for adapters.
    func adapters(_ drawing: DrawingParameters) throws -> [ImageAdapter] { try drawing.loras.map(adapter) }

    private func adapter(_ lora: LoRAReference) throws -> ImageAdapter {
        let param = "body.lora"
        guard let adapterFolder else {
            throw APIError.invalid(
                param, "This server takes no LoRA adapters.", remedy: "It takes them from a folder named with --allowed-lora-path.")
        }
        guard let place = AdapterFolder(adapterFolder).place(of: lora.path) else {
            throw APIError.invalid(param, "There is no adapter at that path in the server's folder for adapters.")
        }
        return ImageAdapter(path: place, scale: Float(lora.scale))
    }

    /// Most files of the folder that are told.
    private static let told = 1000

    /// What requests may name as an adapter, and those that every request has.
    var adapterNames: [String] {
        let own = startAdapters.map { URL(filePath: $0).lastPathComponent }
        guard let adapterFolder else { return own }
        return own + AdapterFolder(adapterFolder).files(ending: ".safetensors", most: Self.told)
    }
}
