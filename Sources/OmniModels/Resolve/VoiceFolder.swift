import Foundation
import OmniEngine

/// A voice as ONNX: at least one `.onnx`, and the symbols it knows (`tokens.txt`, or Piper's `<voice>.onnx.json`).
struct VoiceFolder {
    let folder: URL
    private let files: [String]

    /// Nil when there is no ONNX file.
    init?(_ folder: URL) {
        self.folder = folder
        files = OmniModels.names(in: folder)
        guard files.contains(where: { $0.hasSuffix(".onnx") }) else { return nil }
    }

    func resolve(as found: ResolvedModel) throws(ModelError) -> ResolvedModel {
        let models = files.filter { $0.hasSuffix(".onnx") }
        var missing = models.map { folder.appending(path: $0) }.filter { !isFile($0) }.map(\.path)
        let symbols = files.filter { $0.hasSuffix("tokens.txt") || $0.hasSuffix(".onnx.json") }
        if !symbols.contains(where: { isFile(folder.appending(path: $0)) }) {
            missing.append(folder.appending(path: "tokens.txt").path + " (or \(models[0]).json)")
        }
        guard missing.isEmpty else {
            throw ModelError(.missing, model: found.reference, "The voice is not whole.", missing: missing, remedy: Remedy.fetch(found))
        }
        for file in models where (fileSize(folder.appending(path: file)) ?? 0) == 0 {
            throw ModelError(.damaged, model: found.reference, "\(folder.appending(path: file).path) is empty.", remedy: Remedy.fetch(found))
        }
        var model = found
        model.kind = .speech
        model.architecture = "onnx"
        model.size = folderSize(folder)
        return model
    }
}
