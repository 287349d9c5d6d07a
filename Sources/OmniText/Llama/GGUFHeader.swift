import Foundation
import OmniAPI

/// The head of a GGUF file, read without llama.cpp: enough to say what a file is and whether all of it is there, before
/// anything is mapped into memory.
struct GGUFHeader {
    private(set) var architecture: String?
    private(set) var tensorCount = 0
    /// Bytes that the file must have for its last tensor to be whole.
    private(set) var neededBytes: UInt64 = 0
    private(set) var hasTokenizer = false
    private(set) var hasPooling = false
    private(set) var isCausal = true

    /// Throws ``APIError`` naming the file: not there, not a GGUF, cut short, damaged.
    init(path: String) throws {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw APIError(.notFound, "There is no model file at \(path), or it may not be read.", remedy: "Fetch it with `omni models pull`.")
        }
        defer { try? file.close() }
        let size = (try? file.seekToEnd()) ?? 0
        try? file.seek(toOffset: 0)
        var reader = GGUFReader(file: file, size: size)
        do {
            try read(&reader)
        } catch let fault as GGUFReader.Fault {
            switch fault {
            case .foreign:
                throw APIError(.internalError, "\(path) is not a GGUF file.", remedy: "Name a GGUF, or a folder that holds one.")
            case .short:
                throw APIError(.internalError, "The model file \(path) is cut short: it ends within its header, after \(size) bytes.", remedy: "Fetch it again.")
            case .damaged(let what):
                throw APIError(.internalError, "The model file \(path) is damaged: \(what).", remedy: "Fetch it again.")
            }
        }
        guard neededBytes <= size else {
            throw APIError(
                .internalError, "The model file \(path) is cut short: it has \(size) bytes and its tensors need \(neededBytes).", remedy: "Fetch it again.")
        }
    }

    private mutating func read(_ reader: inout GGUFReader) throws {
        guard try reader.bytes(4) == Array("GGUF".utf8) else { throw GGUFReader.Fault.foreign }
        let version = try reader.integer(UInt32.self)
        guard (2...3).contains(version) else { throw GGUFReader.Fault.damaged("its version is \(version), not 2 or 3") }
        let tensors = try reader.integer(UInt64.self)
        let entries = try reader.integer(UInt64.self)
        guard tensors < 1 << 20, entries < 1 << 20 else { throw GGUFReader.Fault.damaged("it claims \(tensors) tensors and \(entries) settings") }
        tensorCount = Int(tensors)
        var alignment: UInt64 = 32
        for _ in 0..<entries {
            let key = try reader.text()
            let value = try reader.value()
            switch (key, value) {
            case ("general.architecture", .text(let name)): architecture = name
            case ("general.alignment", .number(let number)) where number > 0: alignment = number
            default: break
            }
            if key.hasPrefix("tokenizer.ggml.") { hasTokenizer = true }
            if key.hasSuffix(".pooling_type"), case .number(let number) = value { hasPooling = number > 0 }
            if key.hasSuffix(".attention.causal"), case .number(let number) = value { isCausal = number != 0 }
        }
        var end: UInt64 = 0
        for _ in 0..<tensors { end = max(end, try tensorEnd(&reader)) }
        let dataBegin = (reader.offset + alignment - 1) / alignment * alignment
        let (needed, overflows) = dataBegin.addingReportingOverflow(end)
        neededBytes = tensors == 0 ? reader.offset : overflows ? .max : needed
    }

    private func tensorEnd(_ reader: inout GGUFReader) throws -> UInt64 {
        let name = try reader.text()
        let dimensions = try reader.integer(UInt32.self)
        guard dimensions <= 8 else { throw GGUFReader.Fault.damaged("the tensor \(name) has \(dimensions) dimensions") }
        var elements: UInt64 = 1
        for _ in 0..<dimensions {
            let (product, overflows) = elements.multipliedReportingOverflow(by: try reader.integer(UInt64.self))
            guard !overflows else { throw GGUFReader.Fault.damaged("the tensor \(name) is impossibly large") }
            elements = product
        }
        let type = try reader.integer(UInt32.self)
        let offset = try reader.integer(UInt64.self)
        guard let bytes = GGUFReader.byteCount(type: type, elements: elements) else {
            throw GGUFReader.Fault.damaged("the tensor \(name) has the unknown type \(type)")
        }
        let (end, overflows) = offset.addingReportingOverflow(bytes)
        guard !overflows else { throw GGUFReader.Fault.damaged("the tensor \(name) lies outside the file") }
        return end
    }
}
