import Foundation
import OmniEngine

/// A voice as ONNX, recognised by the names of its files.
struct ONNXVoice {
    private let folder: URL
    private let recognition: VoiceRecognition

    /// Nil when there is no ONNX file.
    init?(_ folder: URL) {
        self.folder = folder
        recognition = VoiceRecognition(names: OmniModels.names(in: folder))
        if case .none = recognition { return nil }
    }

    func resolve(as found: ResolvedModel) throws(ModelError) -> ResolvedModel {
        switch recognition {
        case .known(let kind, _, let files):
            // A link of the Hub's cache may lead nowhere.
            let paths = files.values.sorted().map { folder.appending(path: $0) }
            let missing = paths.filter { !isFile($0) }.map(\.path)
            guard missing.isEmpty else { throw incomplete(missing, found) }
            if let empty = paths.first(where: { (fileSize($0) ?? 0) == 0 }) {
                throw ModelError(.damaged, model: found.reference, "\(empty.path) is empty.", remedy: Remedy.fetch(found))
            }
            var model = found
            model.kind = .speech
            model.architecture = kind.name
            model.size = folderSize(folder)
            return model
        case .incomplete(let family, let missing):
            throw incomplete(
                missing.map { folder.appending(path: $0).path }, found,
                "The voice is not whole: most of its files are those of \(family.rawValue).")
        case .none: throw incomplete([folder.appending(path: "*.onnx").path], found)
        }
    }

    private func incomplete(_ missing: [String], _ found: ResolvedModel, _ message: String = "The voice is not whole.") -> ModelError {
        ModelError(.missing, model: found.reference, message, missing: missing, remedy: Remedy.fetch(found))
    }
}
