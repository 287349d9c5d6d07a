import Foundation
import OmniEngine
import OmniTestSupport
import Testing

@testable import OmniDiffusion
@testable import OmniTensor

/// The same change in the names of every trainer gives the same picture.
@Suite struct AdapterNameTests {
    private static let rank = 2

    /// Halves of a change of one matrix, made of sines.
    private static func halves(_ inputs: Int, _ outputs: Int, seed: Float) -> (down: CheckpointCopy.Stored, up: CheckpointCopy.Stored) {
        func stored(_ shape: [Int], _ phase: Float) -> CheckpointCopy.Stored {
            let values = (0..<shape[0] * shape[1]).map { sinf(Float($0) * 0.7 + phase) / 4 }
            return .init(type: "F32", shape: shape, bytes: values.withUnsafeBytes { Array($0) })
        }
        return (stored([rank, inputs], seed), stored([outputs, rank], seed + 1))
    }

    private static func picture(_ adapters: [ImageAdapter], options: DiffusionOptions = DiffusionOptions()) throws -> [Float] {
        let request = PictureParityTests.request(42, steps: 2) { ($0.width, $0.height, $0.adapters) = (40, 24, adapters) }
        return try SingleFileFolder.picture(.folder("\(Fixtures.root)/small"), request, options: options)
    }

    @Test func everyTrainersNamesMeanTheSame() throws {
        let folder = try SingleFileFolder(of: "zimage/small")
        let (output, up) = (Self.halves(64, 64, seed: 0), Self.halves(64, 170, seed: 3))
        let alpha = CheckpointCopy.Stored(type: "F32", shape: [], bytes: withUnsafeBytes(of: Float(Self.rank)) { Array($0) })
        let modules = [("layers.0.attention.to_out.0", output), ("layers.1.feed_forward.w3", up)]
        let own = [("layers.0.attention.out", output), ("layers.1.feed_forward.w3", up)]
        func file(
            _ name: String, _ modules: [(String, (down: CheckpointCopy.Stored, up: CheckpointCopy.Stored))], _ prefix: String,
            _ ends: (String, String), alphas: Bool
        ) throws -> [Float] {
            var tensors: StoredTensors = [:]
            for (module, halves) in modules {
                tensors["\(prefix)\(module).\(ends.0)"] = halves.down
                tensors["\(prefix)\(module).\(ends.1)"] = halves.up
                if alphas { tensors["\(prefix)\(module).alpha"] = alpha }
            }
            try folder.write("\(name).safetensors", tensors)
            return try Self.picture([ImageAdapter(path: "\(folder.path)/\(name).safetensors", scale: 0.7)])
        }
        let flat = modules.map { ($0.0.replacing(".", with: "_"), $0.1) }
        let diffusers = try file("diffusers", modules, "transformer.", ("lora_A.weight", "lora_B.weight"), alphas: false)
        #expect(diffusers != (try Self.picture([])))
        #expect(
            try file("peft", modules, "base_model.model.", ("lora_A.default.weight", "lora_B.default.weight"), alphas: false) == diffusers)
        #expect(try file("comfy", modules, "diffusion_model.", ("lora_A.weight", "lora_B.weight"), alphas: false) == diffusers)
        #expect(try file("plain", own, "", ("lora_down.weight", "lora_up.weight"), alphas: true) == diffusers)
        #expect(try file("kohya", flat, "lora_unet_", ("lora_down.weight", "lora_up.weight"), alphas: true) == diffusers)
        let flatOwn = own.map { ($0.0.replacing(".", with: "_"), $0.1) }
        #expect(try file("onetrainer", flatOwn, "lora_transformer_", ("lora_down.weight", "lora_up.weight"), alphas: true) == diffusers)
    }

    /// One change of queries, keys and values together is three.
    @Test func aFusedChangeIsThree() throws {
        let folder = try SingleFileFolder(of: "zimage/small")
        let (down, up) = Self.halves(64, 192, seed: 5)
        try folder.write(
            "fused.safetensors",
            ["diffusion_model.layers.0.attention.qkv.lora_A.weight": down, "diffusion_model.layers.0.attention.qkv.lora_B.weight": up])
        let third = up.bytes.count / 3
        var parts: StoredTensors = [:]
        for (place, name) in ["to_q", "to_k", "to_v"].enumerated() {
            parts["transformer.layers.0.attention.\(name).lora_A.weight"] = down
            parts["transformer.layers.0.attention.\(name).lora_B.weight"] = .init(
                type: "F32", shape: [64, Self.rank], bytes: Array(up.bytes[place * third..<(place + 1) * third]))
        }
        try folder.write("parts.safetensors", parts)
        let fused = try Self.picture([ImageAdapter(path: "\(folder.path)/fused.safetensors")])
        #expect(fused == (try Self.picture([ImageAdapter(path: "\(folder.path)/parts.safetensors")])))
        #expect(fused != (try Self.picture([])))
    }

    @Test func severalAddUpWithTheirWeights() throws {
        let folder = try SingleFileFolder(of: "zimage/small")
        func adapter(_ name: String, seed: Float) throws -> String {
            let (down, up) = Self.halves(64, 64, seed: seed)
            let module = "transformer.layers.0.attention.to_out.0"
            try folder.write("\(name).safetensors", ["\(module).lora_A.weight": down, "\(module).lora_B.weight": up])
            return "\(folder.path)/\(name).safetensors"
        }
        let (one, two) = (try adapter("one", seed: 0), try adapter("two", seed: 9))
        let both = try Self.picture([ImageAdapter(path: one, scale: 0.5), ImageAdapter(path: two, scale: 2)])
        #expect(both != (try Self.picture([ImageAdapter(path: one, scale: 0.5)])))
        // Half of it twice is the whole.
        let halves = try Self.picture([ImageAdapter(path: one, scale: 0.5), ImageAdapter(path: one, scale: 0.5)])
        #expect(peakSignalToNoise(halves, try Self.picture([ImageAdapter(path: one)])) > 80)
        var options = DiffusionOptions()
        options.quantization = ["transformer": .q8_0]
        #expect(try Self.picture([ImageAdapter(path: one)], options: options) != Self.picture([], options: options))
    }

    @Test func changesOfOtherKindsAreNamed() throws {
        let folder = try SingleFileFolder(of: "zimage/small")
        let one = CheckpointCopy.Stored(type: "F32", shape: [1], bytes: [0, 0, 0x80, 0x3f])
        for (tensor, kind) in [
            ("diffusion_model.layers.0.attention.to_q.dora_scale", "DoRA"), ("lora_unet_layers_0_attention_qkv.hada_w1_a", "LoHa"),
            ("lycoris_layers_0_attention_qkv.lokr_w1", "LoKr"),
            ("diffusion_model.layers.0.attention.norm_q.diff", "a whole change of a weight"),
            ("diffusion_model.layers.9.attention.to_q.lora_A.weight", "layers.9.attention.to_q"),
            ("transformer_2.layers.0.attention.to_q.lora_A.weight", "second expert"),
        ] {
            try folder.write("odd.safetensors", [tensor: one])
            do {
                _ = try Self.picture([ImageAdapter(path: "\(folder.path)/odd.safetensors")])
                Issue.record("drew with \(tensor)")
            } catch ImageModelError.invalid(let parameter, let reason) {
                #expect(parameter == "lora" && reason.contains(kind), "\(reason)")
            }
        }
    }

    /// As Lightx2v's files are: changes of biases beside those of matrices, and zeros for norms.
    @Test func changesOfBiasesAreAdded() throws {
        let folder = try SingleFileFolder(of: "wan/t2v")
        let (down, up) = Self.halves(96, 96, seed: 2)
        let change = (0..<96).map { sinf(Float($0)) / 8 }
        let module = "diffusion_model.blocks.0.self_attn.q"
        func vector(_ values: [Float]) -> CheckpointCopy.Stored {
            .init(type: "F32", shape: [values.count], bytes: values.withUnsafeBytes { Array($0) })
        }
        var tensors = ["\(module).lora_down.weight": down, "\(module).lora_up.weight": up]
        func film(_ source: String, _ name: String) throws -> [Float] {
            try folder.write("\(name).safetensors", tensors)
            var request = try WanVideoTests.request(
                try #require(WanVideoTests.cases.first { $0.checkpoint == "t2v" && $0.name == "plain" }))
            request.adapters = [ImageAdapter(path: "\(folder.path)/\(name).safetensors", scale: 0.5)]
            return try SingleFileFolder.film(.folder(source), request)
        }
        // The same as a checkpoint whose bias is that much larger.
        let copy = try CheckpointCopy("t2v", in: WanFixtures.root)
        try copy.rewrite("transformer") { stored in
            let bias = stored["blocks.0.attn1.to_q.bias"]?.bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) } ?? []
            stored["blocks.0.attn1.to_q.bias"] = vector(zip(bias, change).map { $0 + $1 / 2 })
        }
        let (wanted, plain) = (try film(copy.folder, "matrix"), try film(folder.source, "matrix"))
        tensors["\(module).diff_b"] = vector(change)
        tensors["diffusion_model.blocks.0.self_attn.norm_q.diff"] = vector([Float](repeating: 0, count: 96))
        tensors["diffusion_model.blocks.0.norm3.diff_b"] = vector([Float](repeating: 0, count: 96))
        let changed = try film(folder.source, "lightx2v")
        #expect(peakSignalToNoise(changed, wanted) > 80)
        #expect(peakSignalToNoise(plain, wanted) < 60)
    }

    /// Of Wan 2.2's experts each has its own, by prefix or by the file's name.
    @Test func bothExpertsAreChanged() throws {
        let folder = try SingleFileFolder(of: "wan/a14b")
        let test = try #require(WanVideoTests.cases.first { $0.checkpoint == "a14b" })
        func film(_ adapters: [String]) throws -> [Float] {
            var request = try WanVideoTests.request(test)
            request.adapters = adapters.map { ImageAdapter(path: "\(folder.path)/\($0).safetensors") }
            return try SingleFileFolder.film(.folder(folder.source), request)
        }
        let (down, up) = Self.halves(60, 60, seed: 1)
        func write(_ name: String, _ prefix: String, _ module: String) throws {
            try folder.write("\(name).safetensors", ["\(prefix)\(module).lora_A.weight": down, "\(prefix)\(module).lora_B.weight": up])
        }
        try write("style_high_noise", "diffusion_model.", "blocks.0.self_attn.o")
        try write("style_low_noise", "diffusion_model.", "blocks.0.self_attn.o")
        try write("second", "transformer_2.", "blocks.0.attn1.to_out.0")
        let (none, high, low) = (try film([]), try film(["style_high_noise"]), try film(["style_low_noise"]))
        #expect(high != none && low != none && high != low)
        #expect(low == (try film(["second"])))
    }
}
