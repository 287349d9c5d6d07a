import Foundation
import OmniEngine
import OmniGGUF

/// The GGUF models of a folder: files that belong together as shards are one model, projectors are none.
struct GGUFFolder {
    /// A model in the folder, by the file of its first shard (`file.gguf`, or `folder/file.gguf`).
    struct Candidate: Sendable, Equatable {
        var file: String
        var name: GGUFFileName
    }

    let folder: URL
    let candidates: [Candidate]
    let projectors: [String]

    /// With `nested`, the folders inside count too: repositories with many quantisations put each into its own.
    init(_ folder: URL, nested: Bool = true) {
        self.folder = folder
        var candidates: [String: Candidate] = [:]
        var projectors: [String] = []
        for file in Self.files(folder, nested: nested) {
            guard let name = GGUFFileName(URL(filePath: file).lastPathComponent) else { continue }
            if name.isProjector {
                projectors.append(file)
            } else {
                let first = GGUFFileName.shardNames(of: file).first ?? file
                candidates[first] = Candidate(file: first, name: name)
            }
        }
        self.candidates = candidates.values.sorted { $0.file < $1.file }
        self.projectors = projectors
    }

    private static func files(_ folder: URL, nested: Bool) -> [String] {
        let top = OmniModels.names(in: folder)
        guard nested else { return top }
        return top
            + top.flatMap { name in
                let inner = folder.appending(path: name)
                return isFolder(inner) ? OmniModels.names(in: inner).map { "\(name)/\($0)" } : []
            }
    }

    var isEmpty: Bool { candidates.isEmpty && projectors.isEmpty }

    /// The one model that `variant` names; without a variant, the only one there is.
    func choose(_ variant: String?, for reference: String) throws(ModelError) -> Candidate {
        let fitting = candidates.filter { candidate in
            guard let variant = variant?.uppercased() else { return true }
            return candidate.name.quant == variant || candidate.file.uppercased() == variant
                || candidate.file.uppercased() == variant + ".GGUF"
        }
        let loose = variant.map { variant in candidates.filter { $0.file.uppercased().contains(variant.uppercased()) } } ?? []
        let chosen = fitting.isEmpty ? loose : fitting
        if chosen.count == 1 { return chosen[0] }

        let there = candidates.map { $0.name.quant ?? $0.file }.joined(separator: ", ")
        let base = ModelReference(reference).base
        if candidates.isEmpty {
            throw ModelError(
                .unsupported, model: reference,
                "\(folder.path) holds a projector (\(projectors.joined(separator: ", "))) and no model for it.",
                remedy: "Put the model's GGUF beside it.")
        }
        if chosen.isEmpty {
            throw ModelError(
                .missing, model: reference, "There is no \(variant ?? "") among its GGUF files: \(there).",
                remedy: "Name one of these, or fetch it: omni models pull \(reference)")
        }
        throw ModelError(
            .ambiguous, model: reference, "It holds several models: \(there).",
            remedy: "Name one, as in \(base):\(chosen.first?.name.quant ?? "Q4_K_M"), or give the path of a file.")
    }

    /// The projector that goes with `candidate`. With several kinds of model in one folder nobody can tell whose it is, so
    /// only a folder of one model's quantisations has one.
    func projector(for candidate: Candidate) -> URL? {
        guard candidates.allSatisfy({ $0.name.base.lowercased() == candidate.name.base.lowercased() }) else { return nil }
        // Projectors are small and feel rounding: the finest that runs well everywhere first.
        let ranks = ["F16", "BF16", "Q8_0", "F32"]
        let best = projectors.min { left, right in
            func rank(_ file: String) -> Int {
                ranks.firstIndex(of: GGUFFileName(URL(filePath: file).lastPathComponent)?.quant ?? "") ?? ranks.count
            }
            return (rank(left), left) < (rank(right), right)
        }
        return best.map { folder.appending(path: $0) }
    }
}

extension GGUFFolder.Candidate {
    /// Reads the header, checks that every shard is there and whole, and tells what the model is.
    func resolve(in folder: GGUFFolder, as found: ResolvedModel) throws(ModelError) -> ResolvedModel {
        let shards = GGUFFileName.shardNames(of: file).map { folder.folder.appending(path: $0) }
        let missing = shards.filter { !isFile($0) }.map(\.path)
        guard missing.isEmpty else {
            throw ModelError(
                .missing, model: found.reference,
                "\(missing.count) of its \(shards.count) files \(missing.count == 1 ? "is" : "are") not there.",
                missing: missing, remedy: Remedy.fetch(found))
        }
        var model = found
        var headers: [GGUFHeader] = []
        for shard in shards { headers.append(try Self.header(of: shard, for: found)) }
        guard let header = headers.first else { return model }
        if header.splitCount > shards.count {
            throw ModelError(
                .damaged, model: found.reference, "\(file) says that it is one of \(header.splitCount) files, which its name does not.",
                remedy: "Give the files their names back (…-00001-of-0000\(header.splitCount).gguf), or merge them with llama-gguf-split.")
        }
        model.kind = try kind(of: header, for: found)
        model.architecture = header.architecture
        model.path = shards[0]
        model.shards = shards
        model.mmproj = folder.projector(for: self)
        if model.kind == .speech, model.mmproj == nil {
            throw ModelError(
                .missing, model: found.reference, "\(file) writes sound that only its projector makes audible, and none stands beside it.",
                missing: [folder.folder.appending(path: "mmproj-*.gguf").path],
                remedy: "Put the mmproj file that was published with it into its folder.")
        }
        model.size = (shards + [model.mmproj].compactMap(\.self)).reduce(0) { $0 + (fileSize($1) ?? 0) }
        return model
    }

    private static func header(of file: URL, for found: ResolvedModel) throws(ModelError) -> GGUFHeader {
        let header: GGUFHeader
        do {
            header = try GGUFHeader(readingFrom: file)
        } catch {
            throw ModelError(
                .damaged, model: found.reference, "\(file.path) is not a GGUF file that can be read: \(error)", remedy: Remedy.fetch(found))
        }
        if header.isCutShort, let expected = header.expectedSize {
            throw ModelError(
                .damaged, model: found.reference, "\(file.path) is cut short: it has \(header.fileSize) of at least \(expected) bytes.",
                remedy: Remedy.fetch(found))
        }
        return header
    }

    private func kind(of header: GGUFHeader, for found: ResolvedModel) throws(ModelError) -> ModelKind {
        if header.isProjector {
            throw ModelError(
                .unsupported, model: found.reference, "\(file) is a projector for images or sound, not a model.",
                remedy: "Keep it in the folder of the model that it belongs to, and name that model.")
        }
        if header.isAdapter {
            throw ModelError(.unsupported, model: found.reference, "\(file) is a LoRA adapter, not a model.", remedy: nil)
        }
        if let family = PipelineFamily.of(ggufArchitecture: header.architecture) {
            throw ModelError(
                .unsupported, model: found.reference,
                "\(file) holds a diffusion transformer alone (\(header.architecture), \(family.name)).",
                remedy: "docs/models.md says which families are loaded from single files; others need a diffusers folder.")
        }
        if VoiceKind.gguf(architecture: header.architecture) != nil { return .speech }
        if header.isClassifier { return .classifier }
        return header.isEmbedding ? .embedding : .text
    }
}

/// What to tell a user who lacks a model.
enum Remedy {
    /// The command that brings the files of `model`.
    static func fetch(_ model: ResolvedModel) -> String {
        if StarterModel.named(model.reference) != nil { return starter(model.reference) }
        switch model.source {
        case .hub: return "Fetch it: omni models pull \(model.reference)"
        case .home where ModelReference(model.reference).hubID != nil: return "Fetch it: omni models pull \(model.reference)"
        case .home, .path: return "Copy the file again from where it came."
        case .package: return starter(model.reference)
        }
    }

    static func starter(_ name: String) -> String {
        "It is a starter model; `omni setup` (in a checkout `make serve`) puts it in place."
    }
}
