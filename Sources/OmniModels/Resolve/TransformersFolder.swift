import Foundation
import OmniConversion
import OmniEngine

/// A language model as transformers publishes it, which becomes a GGUF before it is served.
struct TransformersFolder {
    private let folder: URL

    /// Nil for a folder without `config.json` and weights.
    init?(_ folder: URL) {
        guard Checkpoint.isOne(folder.path) else { return nil }
        self.folder = folder
    }

    func resolve(as found: ResolvedModel) throws(ModelError) -> ResolvedModel {
        do throws(ConversionError) {
            let checkpoint = try Checkpoint(folder: folder.path)
            var model = found
            model.kind = checkpoint.isClassifier ? .classifier : checkpoint.isEmbedding ? .embedding : .text
            model.architecture = checkpoint.architectureName
            model.size = Int64(checkpoint.byteCount)
            return model
        } catch {
            throw ModelError(error, model: found)
        }
    }
}

extension ModelError {
    /// Why a checkpoint cannot be converted. What is missing or damaged can be fetched again.
    package init(_ error: ConversionError, model: ResolvedModel) {
        let fault: Fault =
            switch error.fault {
            case .missing: .missing
            case .damaged, .disk: .damaged
            case .unsupported: .unsupported
            }
        var remedy = error.remedy
        if model.source == .hub, fault == .unsupported {
            let twin = "omni models pull \(ModelReference(model.reference).base)-GGUF:Q4_K_M"
            remedy = [remedy, "Look for one: \(twin)"].compactMap { $0 }.joined(separator: " ")
        } else if model.source == .hub, error.fault != .disk {
            remedy = Remedy.fetch(model)
        }
        self.init(fault, model: model.reference, "\(error.path): \(error.problem)", remedy: remedy)
    }
}
