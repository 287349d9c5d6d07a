import Foundation
import OmniAPI
import OmniEngine
import OmniRequests

extension ImageRequestLimits {
    /// The adapter that a request asks for. Throws 400 unless its path, links followed, lies in the folder for adapters.
    func adapters(_ drawing: DrawingParameters) throws -> [ImageAdapter] {
        guard let lora = drawing.lora else { return [] }
        let param = "body.lora"
        guard let adapterFolder else {
            throw APIError.invalid(
                param, "This server takes no LoRA adapters.", remedy: "It takes them from a folder named with --allowed-lora-path.")
        }
        let root = URL(filePath: adapterFolder).resolvingSymlinksInPath().standardizedFileURL.path
        let place = URL(filePath: lora.path, relativeTo: URL(filePath: root, directoryHint: .isDirectory)).resolvingSymlinksInPath()
            .standardizedFileURL.path
        guard place.hasPrefix(root + "/"), FileManager.default.fileExists(atPath: place) else {
            throw APIError.invalid(param, "There is no adapter at that path in the server's folder for adapters.")
        }
        return [ImageAdapter(path: place, scale: Float(lora.scale))]
    }
}
