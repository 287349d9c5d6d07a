/// Where everything of a GGUF goes: the header's bytes, and the place of each tensor.
struct GGUFLayout: Sendable {
    /// Everything before the first tensor, padded.
    let header: [UInt8]
    /// For each tensor the byte of the file at which it begins.
    let offsets: [Int]
    /// Bytes of the whole file.
    let size: Int

    static let alignment = 32

    init(_ metadata: Metadata, _ tensors: [TensorPlan]) {
        var output = GGUFOutput()
        // "GGUF", version 3.
        output.add(0x4655_4747, 3)
        output.add(UInt64(tensors.count))
        output.add(UInt64(metadata.keys.count))
        for key in metadata.keys {
            output.add(key)
            metadata[key]?.write(to: &output)
        }
        var place = 0, places: [Int] = []
        for tensor in tensors {
            output.add(tensor.name)
            output.add(UInt32(tensor.shape.count))
            tensor.shape.forEach { output.add(UInt64($0)) }
            output.add(tensor.type.rawValue)
            output.add(UInt64(place))
            places.append(place)
            place += (tensor.byteCount + Self.alignment - 1) / Self.alignment * Self.alignment
        }
        output.pad(to: Self.alignment)
        let start = output.bytes.count
        header = output.bytes
        offsets = places.map { start + $0 }
        size = start + place
    }
}
