import Foundation
import OmniAPI

/// What must be known of an ONNX file before sherpa-onnx sees it: sherpa ends the process over a missing entry, and ONNX
/// Runtime throws over a damaged one.
struct ONNXFile {
    let path: String
    private(set) var metadata: [String: String] = [:]
    private(set) var inputs: [String] = []
    private(set) var outputs: [String] = []
    /// Has transposed convolutions.
    private(set) var upsamples = false
    /// Version of ONNX's own operators.
    private var operatorSet: UInt64 = 0

    /// Reads the structure of a file, weights' sizes included, and throws ``APIError`` with the reason when it is damaged.
    init(path: String) throws {
        self.path = path
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        } catch {
            throw APIError.unusableVoice(path, "it cannot be opened: \(error.localizedDescription)")
        }
        do {
            try data.withUnsafeBytes { try readModel(ProtobufReader($0)) }
        } catch let fault as ProtobufReader.Malformed {
            throw APIError.unusableVoice(path, fault.reason)
        }
    }

    // Field numbers are those of onnx.proto (ONNX IR version 10).
    private mutating func readModel(_ reader: ProtobufReader) throws {
        var reader = reader
        var hasGraph = false, hasOpset = false
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (7, .bytes(let graph)):
                hasGraph = true
                try readGraph(ProtobufReader(graph))
            case (8, .bytes(let set)):
                hasOpset = true
                try readOperatorSet(ProtobufReader(set))
            case (14, .bytes(let entry)): try readMetadata(ProtobufReader(entry))
            default: break
            }
        }
        guard hasGraph, hasOpset else { throw ProtobufReader.Malformed(reason: "it is no ONNX model: no graph in it") }
    }

    private mutating func readGraph(_ reader: ProtobufReader) throws {
        var reader = reader
        var nodes = 0
        while let (field, value) = try reader.next() {
            guard case .bytes(let bytes) = value else { continue }
            switch field {
            case 1:
                nodes += 1
                if try ONNXNode(bytes).operation == "ConvTranspose" { upsamples = true }
            case 5: try checkWeights(ONNXTensor(bytes))
            case 11: inputs += try Self.name(of: ProtobufReader(bytes))
            case 12: outputs += try Self.name(of: ProtobufReader(bytes))
            default: break
            }
        }
        guard nodes > 0, !outputs.isEmpty else { throw ProtobufReader.Malformed(reason: "its graph is empty") }
    }

    private mutating func readOperatorSet(_ reader: ProtobufReader) throws {
        var reader = reader
        var isOwn = true, version: UInt64 = 0
        while let (field, value) = try reader.next() {
            if field == 1, case .bytes(let domain) = value { isOwn = domain.isEmpty }
            if field == 2, case .number(let number) = value { version = number }
        }
        if isOwn { operatorSet = version }
    }

    static func name(of reader: ProtobufReader) throws -> [String] {
        var reader = reader
        while let (field, value) = try reader.next() {
            if field == 1, case .bytes(let text) = value { return [String(decoding: text, as: UTF8.self)] }
        }
        return []
    }

    private mutating func readMetadata(_ reader: ProtobufReader) throws {
        var reader = reader
        var key = "", text = ""
        while let (field, value) = try reader.next() {
            guard case .bytes(let bytes) = value else { continue }
            if field == 1 { key = String(decoding: bytes, as: UTF8.self) }
            if field == 2 { text = String(decoding: bytes, as: UTF8.self) }
        }
        metadata[key] = text
    }

    /// The raw bytes of a tensor must be as many as its shape and type say.
    private func checkWeights(_ tensor: ONNXTensor) throws {
        guard let elements = tensor.elementCount else { throw ProtobufReader.Malformed(reason: "a tensor of impossible size") }
        guard let raw = tensor.raw?.count, let size = Self.elementSizes[tensor.type] else { return }
        let (expected, overflow) = elements.multipliedReportingOverflow(by: size)
        guard !overflow, raw == expected else {
            throw ProtobufReader.Malformed(
                reason: "the weights \(tensor.name.isEmpty ? "?" : tensor.name) have \(raw) bytes; their shape needs \(expected)")
        }
    }

    /// Bytes per element by TensorProto.DataType; packed 4-bit types are left out.
    private static let elementSizes: [UInt64: Int] = [1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2]

    /// A part of a file to be written.
    enum Piece {
        case kept(UnsafeRawBufferPointer)
        case made([UInt8])

        var count: Int {
            switch self {
            case .kept(let bytes): bytes.count
            case .made(let bytes): bytes.count
            }
        }
    }

    /// Writes a copy that has more metadata and, where `upsampling` is set, plain convolutions in place of transposed ones, as far as
    /// ``PhaseConvolution`` knows them.
    func writeCopy(to target: String, adding entries: [(key: String, text: String)], upsampling: Bool = false) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        _ = FileManager.default.createFile(atPath: target, contents: nil)
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: target))
        defer { try? file.close() }
        try file.truncate(atOffset: 0)
        try data.withUnsafeBytes { data in
            for piece in try pieces(data, adding: entries, upsampling: upsampling) {
                switch piece {
                case .kept(let bytes):
                    guard let base = bytes.baseAddress else { continue }
                    try file.write(
                        contentsOf: Data(bytesNoCopy: UnsafeMutableRawPointer(mutating: base), count: bytes.count, deallocator: .none))
                case .made(let bytes): try file.write(contentsOf: bytes)
                }
            }
        }
    }

    private func pieces(_ data: UnsafeRawBufferPointer, adding entries: [(key: String, text: String)], upsampling: Bool) throws -> [Piece] {
        var pieces: [Piece] = []
        var reader = ProtobufReader(data)
        var begin = 0
        while let (field, value) = try reader.next() {
            defer { begin = reader.place }
            // Slice takes its bounds as inputs since version 10.
            if upsampling, operatorSet >= 10, field == 7, case .bytes(let graph) = value,
                let rewritten = try PhaseConvolution.rewritten(graph)
            {
                var header = ProtobufWriter()
                header.header(7, length: rewritten.reduce(0) { $0 + $1.count })
                pieces.append(.made(header.message))
                pieces += rewritten
            } else {
                pieces.append(.kept(UnsafeRawBufferPointer(rebasing: data[begin..<reader.place])))
            }
        }
        // `metadata_props` is the repeated field 14 of the model.
        var metadata = ProtobufWriter()
        for (key, text) in entries {
            var entry = ProtobufWriter()
            entry.text(1, key)
            entry.text(2, text)
            metadata.bytes(14, entry.message)
        }
        return pieces + [.made(metadata.message)]
    }
}

extension APIError {
    /// A voice whose files cannot be used; ends loading, with the reason in the log and in `/health/ready`.
    static func unusableVoice(_ path: String, _ reason: String) -> APIError {
        APIError(.internalError, "The voice file \(path) cannot be used: \(reason).")
    }
}
