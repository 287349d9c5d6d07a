import Foundation
import OmniAPI
import OmniSingleFiles

/// Which files of a repository are worth bringing: what swift-omni loads, and not the same weights in five formats.
enum PullSelection {
    /// Chooses by `pattern` (a quantisation, part of a name, or a glob with `*` and `?`), or by what the repository is.
    static func choose(_ files: [HubFile], pattern: String?, for model: String) throws(ModelError) -> [HubFile] {
        if let pattern, pattern.contains(where: { "*?".contains($0) }) {
            let chosen = files.filter { matches($0.path, glob: pattern) || matches($0.name, glob: pattern) }
            guard !chosen.isEmpty else { throw nothing(fits: pattern, files, model) }
            return chosen
        }
        // A file by its name, other than a model's GGUF, to which more belongs.
        if let pattern, let exact = files.first(where: { $0.path == pattern }), GGUFFileName(exact.name) == nil { return [exact] }
        if files.contains(where: { $0.path == "model_index.json" }), pattern == nil { return diffusers(files) }
        if files.contains(where: { GGUFFileName($0.name) != nil }) { return try ggufs(files, pattern: pattern, for: model) }
        if let pattern {
            let chosen = files.filter { $0.path.lowercased().contains(pattern.lowercased()) }
            guard !chosen.isEmpty else { throw nothing(fits: pattern, files, model) }
            return chosen
        }
        // Many of these carry the model as ONNX too, in a folder of its own.
        if let checkpoint = transformers(files) { return checkpoint }
        let voices = files.filter { $0.path.hasSuffix(".onnx") }
        if !voices.isEmpty {
            guard voices.count <= 8 else {
                throw ModelError(
                    .ambiguous, model: model, "The repository holds \(voices.count) ONNX files.",
                    remedy: "Say which: omni models pull '\(model):\(folder(of: voices[0].path))*'")
            }
            return files.filter { !isDecoration($0) }
        }
        throw ModelError(
            .unsupported, model: model,
            "The repository holds nothing that swift-omni loads: no GGUF, no safetensors with config.json, no diffusers pipeline, no ONNX voice.",
            remedy:
                "Many language models have a twin with GGUF files; look for \(model)-GGUF. To fetch it all the same: omni models pull '\(model):*'"
        )
    }

    /// A checkpoint of transformers: its weights as safetensors, each once, and its small files. Nil where the repository is none.
    private static func transformers(_ files: [HubFile]) -> [HubFile]? {
        let top = files.filter { !$0.path.contains("/") }
        let weights = top.filter { $0.path.hasSuffix(".safetensors") }
        guard top.contains(where: { $0.path == "config.json" }), !weights.isEmpty else { return nil }
        // The same in another form, as Mistral has it.
        let others = weights.filter { $0.path.hasPrefix("consolidated") }
        let chosen = others.count < weights.count ? weights.filter { !$0.path.hasPrefix("consolidated") } : weights
        let small = files.filter { file in
            let isNear = file.path.split(separator: "/").count == 1 || file.path.hasSuffix("_Pooling/config.json")
            return isNear && [".json", ".jinja"].contains(where: file.path.hasSuffix) && !file.path.hasPrefix("consolidated")
        }
        return chosen + small
    }

    /// A pipeline's configuration and its safetensors, one precision of each.
    private static func diffusers(_ files: [HubFile]) -> [HubFile] {
        let paths = Set(files.map(\.path))
        let other = [".bin", ".ckpt", ".pt", ".pth", ".msgpack", ".h5", ".onnx", ".onnx_data", ".pb", ".xml", ".tflite", ".gguf"]
        return files.filter { file in
            let isWeight = file.path.hasSuffix(".safetensors")
            // Beside the folders some repositories keep the whole model in one file for other programs.
            if isWeight, !file.path.contains("/") { return false }
            if other.contains(where: file.path.hasSuffix) || isDecoration(file) { return false }
            for variant in [".fp16", ".bf16", ".non_ema", ".fp32"] where file.name.contains(variant) {
                if paths.contains(file.path.replacing(variant, with: "")) { return false }
                // A sharded plain twin has other names: its index stands for it.
                if paths.contains(folder(of: file.path) + "diffusion_pytorch_model.safetensors.index.json") { return false }
                if paths.contains(folder(of: file.path) + "model.safetensors.index.json") { return false }
            }
            return true
        }
    }

    /// One quantisation with all its shards, or two experts that are one model, the best projector beside it, and the defaults for sampling.
    private static func ggufs(_ files: [HubFile], pattern: String?, for model: String) throws(ModelError) -> [HubFile] {
        var models: [String: [HubFile]] = [:]
        var projectors: [HubFile] = []
        for file in files {
            guard let name = GGUFFileName(file.name) else { continue }
            if name.isProjector {
                projectors.append(file)
            } else {
                models[GGUFFileName.shardNames(of: file.path)[0], default: []].append(file)
            }
        }
        func quant(_ path: String) -> String? { GGUFFileName(String(path.split(separator: "/").last ?? ""))?.quant }
        var chosen = models.keys.sorted()
        if let pattern {
            let exact = chosen.filter { quant($0) == pattern.uppercased() || $0 == pattern }
            chosen = exact.isEmpty ? chosen.filter { $0.lowercased().contains(pattern.lowercased()) } : exact
        }
        let offers = models.keys.sorted().map { path in
            "\(quant(path) ?? path) (\(byteText((models[path] ?? []).reduce(0) { $0 + $1.size })))"
        }.joined(separator: ", ")
        guard let only = chosen.first else {
            throw ModelError(.missing, model: model, "No GGUF in the repository fits \(pattern ?? "").", remedy: "There are: \(offers).")
        }
        guard chosen.count == 1 || SingleFileSearch.arePair(chosen) else {
            throw ModelError(
                .ambiguous, model: model, "The repository holds several models: \(offers).",
                remedy: "Say which: omni models pull \(ModelReference(model).base):\(quant(only) ?? "Q4_K_M")")
        }
        let ranks = ["F16", "BF16", "Q8_0", "F32"]
        let projector = projectors.min { left, right in
            func rank(_ file: HubFile) -> Int { ranks.firstIndex(of: GGUFFileName(file.name)?.quant ?? "") ?? ranks.count }
            return (rank(left), left.path) < (rank(right), right.path)
        }
        let defaults = files.filter { $0.path == folder(of: only) + "generation_config.json" }
        return chosen.flatMap { (models[$0] ?? []).sorted { $0.path < $1.path } } + [projector].compactMap(\.self) + defaults
    }

    private static func nothing(fits pattern: String, _ files: [HubFile], _ model: String) -> ModelError {
        let some = files.map(\.path).sorted().prefix(20).joined(separator: ", ")
        return ModelError(
            .missing, model: model, "No file of the repository fits \(pattern).",
            remedy: "There are: \(some)\(files.count > 20 ? " …" : "").")
    }

    /// Pictures and pages about a model.
    private static func isDecoration(_ file: HubFile) -> Bool {
        let path = file.path.lowercased()
        return path.hasPrefix(".")
            || [".md", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".mp4", ".pdf", ".ipynb"].contains(where: path.hasSuffix)
    }

    private static func folder(of path: String) -> String { path.lastIndex(of: "/").map { String(path[...$0]) } ?? "" }

    /// Shell-like matching of a whole text; `*` passes over slashes too.
    static func matches(_ text: String, glob: String) -> Bool {
        let text = Array(text.lowercased()), glob = Array(glob.lowercased())
        var at = 0, position = 0, star: Int?, mark = 0
        while at < text.count {
            if position < glob.count, glob[position] == "*" {
                star = position
                mark = at
                position += 1
            } else if position < glob.count, glob[position] == "?" || glob[position] == text[at] {
                at += 1
                position += 1
            } else if let star {
                position = star + 1
                mark += 1
                at = mark
            } else {
                return false
            }
        }
        return glob[position...].allSatisfy { $0 == "*" }
    }
}
