import Foundation

/// Matrices of eight bits as ComfyUI stores them: beside `X.weight` stands `X.scale_weight` (older files) or `X.weight_scale`, and what form
/// they have in `X.comfy_quant` or in the header's `_quantization_metadata` (ComfyUI's QUANTIZATION.md). What has another form is refused by its
/// name: read as plain numbers it would draw wrong.
struct ScaledWeights {
    let path: String
    /// Tensors of bytes.
    let unsigned: Set<String>
    let metadata: [String: String]

    /// What `comfy_quant` and the header's metadata say of a layer.
    private struct Form: Decodable {
        let format: String
        let convrot: Bool?
        let convrot_groupsize: Int?
    }

    private static let scales = [".scale_weight", ".weight_scale"]
    /// What only programs that round what goes in as well have use for, and markers.
    private static let unused = [".scale_input", ".input_scale", ".comfy_quant", "scaled_fp8"]

    /// Ends of names that only weights of another form have.
    private static let foreign = [
        (".weight_scale_2", "nvfp4"), (".wscales", "SVDQuant (Nunchaku)"), (".smooth_factor", "SVDQuant (Nunchaku)"),
        (".smooth_factor_orig", "SVDQuant (Nunchaku)"), (".qzeros", "GPTQ or AWQ"), (".qweight", "GPTQ, AWQ or SVDQuant"),
        (".weight_scale_inv", "blocks of fp8"), (".absmax", "bitsandbytes"), (".SCB", "bitsandbytes"), (".quant_map", "bitsandbytes"),
    ]

    func resolve(_ entries: [WeightEntry]) throws -> [WeightEntry] {
        for (end, name) in Self.foreign where entries.contains(where: { $0.name.hasSuffix(end) }) {
            throw refused("are stored as \(name), which is not read")
        }
        let forms = try forms(entries)
        for (layer, form) in forms where !["float8_e4m3fn", "float8_e5m2", "int8_tensorwise"].contains(form.format) {
            throw refused("\(layer) are stored as \(form.format), which is not read")
        }
        var scales: [String: WeightEntry] = [:]
        for entry in entries {
            guard let layer = Self.layer(entry.name, Self.scales) else { continue }
            guard scales.updateValue(entry, forKey: layer) == nil else { throw refused("\(layer) have two scales") }
        }
        let weights = Set(entries.map(\.name))
        if let odd = scales.keys.sorted().first(where: { !weights.contains("\($0).weight") }) {
            throw refused("\(odd) are not there, but their scale is")
        }
        return try entries.compactMap { entry in
            if Self.layer(entry.name, Self.scales + Self.unused) != nil { return nil }
            guard let layer = Self.layer(entry.name, [".weight"]) else { return entry }
            guard let scale = scales[layer] else {
                if forms[layer] != nil { throw refused("\(layer) are quantized, but have no scale") }
                return entry
            }
            return try entry.scaled(scaling(entry, scale, forms[layer], hasForms: !forms.isEmpty))
        }
    }

    private func scaling(_ entry: WeightEntry, _ scale: WeightEntry, _ form: Form?, hasForms: Bool) throws -> WeightScaling {
        let stored: String? =
            switch entry.encoding {
            case .e4m3: "float8_e4m3fn"
            case .e5m2: "float8_e5m2"
            case .native(.i8) where !unsigned.contains(entry.name): "int8_tensorwise"
            default: nil
            }
        // Whether eight whole bits were rotated first only their form says; where others have one, all must.
        let isClear = form.map { $0.format == stored } ?? (stored != "int8_tensorwise" || !hasForms)
        guard stored != nil, isClear, entry.shape.count == 2 else {
            throw refused(
                "\(entry.name) are \(entry.encoding) and of the form \(form?.format ?? "that their scale leaves open"): no such are read")
        }
        let count = scale.shape.reduce(1, *)
        let isForRows = count == entry.rows && (scale.shape.count == 1 || scale.shape.last == count)
        guard count == 1 || isForRows, case .native(let type) = scale.encoding, [.f32, .f16, .bf16].contains(type) else {
            throw refused(
                "\(entry.name) have the scale \(scale.shape) of \(scale.encoding) for \(entry.shape): neither one nor one for each row")
        }
        let rotation = form?.convrot == true ? form?.convrot_groupsize ?? 256 : 0
        let isPower = [0, 4, 16, 64, 256, 1024].contains(rotation)
        guard isPower, rotation == 0 || entry.rowLength % rotation == 0 else {
            throw refused("\(entry.name) were rotated in groups of \(rotation), which is not read")
        }
        var factors = [Float](repeating: 0, count: count)
        try factors.withUnsafeMutableBufferPointer { factors in
            let bytes = try scale.file.read(at: scale.offset, count: scale.byteCount)
            guard let start = factors.baseAddress else { return }
            bytes.withUnsafeBytes { bytes in bytes.baseAddress.map { scale.encoding.decode($0, count, into: start) } }
        }
        guard factors.allSatisfy(\.isFinite) else { throw refused("\(entry.name) have a scale that is no number") }
        return WeightScaling(factors: factors, rotation: rotation)
    }

    /// By layer.
    private func forms(_ entries: [WeightEntry]) throws -> [String: Form] {
        struct Layers: Decodable { let layers: [String: Form] }
        var forms: [String: Form] = [:]
        if let text = metadata["_quantization_metadata"] {
            guard let read = try? JSONDecoder().decode(Layers.self, from: Data(text.utf8)) else {
                throw refused("have a _quantization_metadata that cannot be read")
            }
            forms = read.layers
        }
        for entry in entries {
            guard let layer = Self.layer(entry.name, [".comfy_quant"]) else { continue }
            let bytes = entry.byteCount <= 4096 ? try entry.file.read(at: entry.offset, count: entry.byteCount) : []
            guard let form = try? JSONDecoder().decode(Form.self, from: Data(bytes)) else {
                throw refused("have a \(entry.name) that cannot be read")
            }
            forms[layer] = form
        }
        return forms
    }

    /// What stands before one of `ends`.
    private static func layer(_ name: String, _ ends: [String]) -> String? {
        ends.first { name.hasSuffix($0) }.map { String(name.dropLast($0.count)) }
    }

    private func refused(_ reason: String) -> TensorError { .file(path: path, reason: "weights \(reason)") }
}
