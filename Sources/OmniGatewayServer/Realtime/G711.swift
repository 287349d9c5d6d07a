/// G.711, as telephones code speech: a byte for a sample, in steps that grow with loudness (ITU-T G.711).
enum G711 {
    enum Law { case mu, a }

    private static let decodedMu = (0...255).map { decodeMu(UInt8($0)) }
    private static let decodedA = (0...255).map { decodeA(UInt8($0)) }

    /// 16-bit samples of coded ones.
    static func decode(_ bytes: some Sequence<UInt8>, _ law: Law) -> [Int16] {
        let table = law == .mu ? decodedMu : decodedA
        return bytes.map { table[Int($0)] }
    }

    static func encode(_ samples: some Sequence<Int16>, _ law: Law) -> [UInt8] {
        switch law {
        case .mu: samples.map(encodeMu)
        case .a: samples.map(encodeA)
        }
    }

    /// What is added before a µ-law segment is looked up.
    private static let bias = 132

    private static func decodeMu(_ code: UInt8) -> Int16 {
        let bits = ~code
        let size = ((Int(bits & 15) << 3) + bias) << Int(bits >> 4 & 7) - bias
        return Int16(bits & 0x80 != 0 ? -size : size)
    }

    private static func encodeMu(_ sample: Int16) -> UInt8 {
        let size = min(abs(Int(sample)), 32_635) + bias
        let segment = 63 - size.leadingZeroBitCount - 7
        let code = UInt8(segment << 4 | size >> (segment + 3) & 15) | (sample < 0 ? 0x80 : 0)
        return ~code
    }

    private static func decodeA(_ code: UInt8) -> Int16 {
        let bits = code ^ 0x55
        let segment = Int(bits >> 4 & 7), steps = Int(bits & 15) << 4
        let size = segment == 0 ? steps + 8 : (steps + 264) << (segment - 1)
        return Int16(bits & 0x80 != 0 ? size : -size)
    }

    private static func encodeA(_ sample: Int16) -> UInt8 {
        let size = min(sample < 0 ? -Int(sample) - 1 : Int(sample), 32_767)
        let segment = size < 256 ? 0 : 63 - size.leadingZeroBitCount - 7
        let steps = segment == 0 ? size >> 4 : size >> (segment + 3) & 15
        return UInt8(segment << 4 | steps) | (sample < 0 ? 0 : 0x80) ^ 0x55
    }
}
