import Foundation
import OmniEngine
import OmniTestSupport
import Testing

@testable import OmniTensor

/// Matrices of eight bits with scales beside them, as ComfyUI's files have them.
@Suite struct ScaledWeightTests {
    typealias Stored = (name: String, type: String, shape: [Int], bytes: [UInt8])

    private static func scale(_ name: String, _ shape: [Int], _ values: [Float]) -> Stored {
        (name, "F32", shape, WeightTests.bytes(values))
    }
    private static func marker(_ layer: String, _ json: String) -> Stored {
        ("\(layer).comfy_quant", "U8", [json.utf8.count], Array(json.utf8))
    }
    /// 1, −2, 3, 4.5
    private static let eights: [UInt8] = [0x38, 0xc0, 0x44, 0x49]
    private static let e4m3: Stored = ("a.weight", "F8_E4M3", [2, 2], eights)
    private static let int8: Stored = ("a.weight", "I8", [2, 2], [1, 0xfe, 3, 127])

    private static func read(_ tensors: [Stored], shape: [Int] = [2, 2]) throws -> [Float] {
        let folder = try WeightTests.Folder()
        try folder.write("model.safetensors", tensors)
        let backend = try Backend(threads: 1, useGPU: false)
        let store = try WeightStore(WeightFiles(path: folder.path), on: backend)
        #expect(store.names.sorted() == ["a.weight"], "a scale is no weight of its own")
        return try WeightTests.read(store, "a.weight", shape, backend)
    }

    /// The factors are powers of two, which bf16 holds exactly.
    @Test func bothSpellingsOfAScaleAreMultipliedIn() throws {
        let old = [
            Self.e4m3, Self.scale("a.scale_weight", [], [0.5]), Self.scale("a.scale_input", [], [9]),
            ("scaled_fp8", "F8_E4M3", [2], [0, 0]),
        ]
        #expect(try Self.read(old) == [0.5, -1, 1.5, 2.25])
        let form = Self.marker("a", #"{"format": "float8_e4m3fn"}"#)
        #expect(try Self.read([Self.e4m3, Self.scale("a.weight_scale", [], [0.25]), form]) == [0.25, -0.5, 0.75, 1.125])
        #expect(try Self.read([Self.e4m3, Self.scale("a.weight_scale", [2, 1], [2, 0.5])]) == [2, -4, 1.5, 2.25])
        #expect(
            try Self.read([("a.weight", "F8_E5M2", [2, 2], [0x3c, 0xc0, 0x42, 0x44]), Self.scale("a.weight_scale", [1], [2])]) == [
                2, -4, 6, 8,
            ])
    }

    @Test func wholeNumbersAreReadForAllAndForEachRow() throws {
        let form = Self.marker("a", #"{"format": "int8_tensorwise"}"#)
        #expect(try Self.read([Self.int8, Self.scale("a.weight_scale", [], [0.5]), form]) == [0.5, -1, 1.5, 63.5])
        #expect(try Self.read([Self.int8, Self.scale("a.weight_scale", [2, 1], [1, 2]), form]) == [1, -2, 6, 254])
    }

    /// A matrix turned by the Kronecker power of the four-by-four one, as comfy-kitchen writes it, is the one that it was.
    @Test func rotatedRowsAreTurnedBack() throws {
        let base: [[Float]] = [[1, 1, 1, -1], [1, 1, -1, 1], [1, -1, 1, 1], [-1, 1, 1, 1]]
        func hadamard(_ row: Int, _ column: Int) -> Float { base[row / 4][column / 4] * base[row % 4][column % 4] / 4 }
        // What comes out is whole, so that rounding to eight bits loses nothing.
        let plain: [[Float]] = [0, 5].map { (start: Int) -> [Float] in
            (0..<16).map { (place: Int) -> Float in Float(4 * ((place * 7 + start) % 9) - 16) }
        }
        var turned: [Float] = []
        for row in plain {
            for column in 0..<16 {
                var sum: Float = 0
                for place in 0..<16 { sum += row[place] * hadamard(place, column) }
                turned.append(sum)
            }
        }
        let bytes = turned.map { UInt8(bitPattern: Int8($0)) }
        let form = Self.marker("a", #"{"format": "int8_tensorwise", "convrot": true, "convrot_groupsize": 16}"#)
        let read = try Self.read(
            [("a.weight", "I8", [2, 16], bytes), Self.scale("a.weight_scale", [2, 1], [0.5, 0.25]), form], shape: [16, 2])
        let wanted: [Float] = plain[0].map { $0 / 2 } + plain[1].map { $0 / 4 }
        #expect(read == wanted)
    }

    @Test func theHeaderMayNameTheForm() throws {
        let folder = try WeightTests.Folder()
        func write(_ format: String) throws {
            let layers = #"{\"format_version\": \"1.0\", \"layers\": {\"a\": {\"format\": \"\#(format)\"}}}"#
            let header =
                #"{"__metadata__":{"_quantization_metadata":"\#(layers)"},"a.weight":{"dtype":"I8","shape":[2,2],"data_offsets":[0,4]},"#
                + #""a.weight_scale":{"dtype":"F32","shape":[],"data_offsets":[4,8]}}"#
            let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
            try (length + Data(header.utf8) + Data([1, 2, 3, 4]) + Data(WeightTests.bytes([2]))).write(
                to: URL(fileURLWithPath: "\(folder.path)/model.safetensors"))
        }
        try write("int8_tensorwise")
        let backend = try Backend(threads: 1, useGPU: false)
        let store = try WeightStore(WeightFiles(path: folder.path), on: backend)
        #expect(try WeightTests.read(store, "a.weight", [2, 2], backend) == [2, 4, 6, 8])
        try write("nvfp4")
        #expect(throws: TensorError.self) { try WeightFiles(path: folder.path) }
    }

    @Test func otherFormsAreRefusedByName() throws {
        func reason(_ tensors: [Stored]) throws -> String {
            let folder = try WeightTests.Folder()
            try folder.write("model.safetensors", tensors)
            do {
                _ = try WeightFiles(path: folder.path)
                return "no error"
            } catch { return "\(error)" }
        }
        let (one, four) = (Self.scale("a.weight_scale", [], [1]), ("a.weight", "U8", [2, 2], [1, 2, 3, 4]) as Stored)
        let refused: [([Stored], String)] = [
            ([four, one, Self.scale("a.weight_scale_2", [], [1])], "nvfp4"),
            ([four, one, Self.marker("a", #"{"format": "nvfp4"}"#)], "nvfp4"),
            ([Self.e4m3, one, Self.marker("a", #"{"format": "mxfp8"}"#)], "mxfp8"),
            (
                [Self.int8, Self.scale("a.weight_scale", [2, 2], [1, 1, 1, 1]), Self.marker("a", #"{"format": "int8_blockwise"}"#)],
                "int8_blockwise"
            ),
            ([("a.qweight", "I8", [2, 2], [1, 2, 3, 4]), Self.scale("a.wscales", [2], [1, 1])], "Nunchaku"),
            ([("a.qweight", "I32", [1], [1, 2, 3, 4]), Self.scale("a.qzeros", [1], [1])], "GPTQ or AWQ"),
            ([four, Self.scale("a.weight.absmax", [1], [1])], "bitsandbytes"),
            ([Self.e4m3, Self.scale("a.weight_scale_inv", [1, 1], [1])], "blocks of fp8"),
            ([four, one], "the form that their scale leaves open"),
            ([Self.int8, one, Self.marker("a", #"{"format": "float8_e4m3fn"}"#)], "float8_e4m3fn"),
            ([Self.e4m3, Self.scale("a.weight_scale", [3], [1, 1, 1])], "neither one nor one for each row"),
            ([Self.e4m3, Self.scale("a.weight_scale", [], [.nan])], "no number"),
            ([Self.e4m3, one, Self.scale("a.scale_weight", [], [1])], "two scales"),
            ([Self.scale("b.weight_scale", [], [1]), Self.e4m3], "their scale is"),
            ([Self.e4m3, Self.marker("a", #"{"format": "float8_e4m3fn"}"#)], "have no scale"),
            ([Self.int8, one, Self.marker("a", #"{"format": "int8_tensorwise", "convrot": true}"#)], "groups of 256"),
            ([Self.int8, one, Self.marker("b", #"{"format": "int8_tensorwise"}"#)], "leaves open"),
            ([Self.int8, one, Self.marker("a", "{")], "cannot be read"),
        ]
        for (tensors, word) in refused {
            let text = try reason(tensors)
            #expect(text.contains("model.safetensors") && text.contains(word), "\(word): \(text)")
        }
    }
}
