/// The first frame of an animated WebP, which FFmpeg's decoder does not take apart (WebP Container Specification, "Animation").
struct WebPAnimation {
    /// The frame as a still picture of its own.
    let still: [UInt8]
    /// Where it stands on the canvas, pixels from the left and from the top.
    let left: Int
    let top: Int
    /// Pixels of the canvas.
    let width: Int
    let height: Int

    /// Nil for a file that is not animated, and for one that ends before its first frame does.
    init?(_ file: [UInt8]) {
        let reader = ByteReader(bytes: file)
        guard reader.text(12, 4) == "VP8X", let flags = reader.byte(20), flags & 0x02 != 0, let wide = reader.little(24, 3),
            let high = reader.little(27, 3)
        else {
            return nil
        }
        (width, height) = (wide + 1, high + 1)
        var place = 12
        while let name = reader.text(place, 4), let length = reader.little(place + 4, 4) {
            let data = place + 8
            if name == "ANMF" {
                guard length >= 16, data + length <= file.count, let x = reader.little(data, 3), let y = reader.little(data + 3, 3),
                    let frameWidth = reader.little(data + 6, 3),
                    let frameHeight = reader.little(data + 9, 3)
                else { return nil }
                (left, top) = (x * 2, y * 2)
                guard left + frameWidth < width, top + frameHeight < height else { return nil }
                still = Self.file(of: file[(data + 16)..<(data + length)], size: file[(data + 6)..<(data + 12)])
                return
            }
            place = data + length + length % 2
        }
        return nil
    }

    /// A file with the chunks of one frame. Where its alpha stands in a chunk of its own, the extended header says so.
    private static func file(of chunks: ArraySlice<UInt8>, size: ArraySlice<UInt8>) -> [UInt8] {
        func number(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
        let hasAlpha = chunks.starts(with: "ALPH".utf8)
        let header = hasAlpha ? Array("VP8X".utf8) + number(10) + [0x10, 0, 0, 0] + size : []
        let body = Array("WEBP".utf8) + header + chunks
        return Array("RIFF".utf8) + number(body.count) + body
    }

    /// The frame on its canvas; what it leaves free is seen through.
    func onCanvas(_ frame: Picture) -> Picture {
        guard frame.width != width || frame.height != height else { return frame }
        var pixels = [UInt8](repeating: 0, count: width * height * 4)
        for row in 0..<min(frame.height, height - top) {
            for column in 0..<min(frame.width, width - left) {
                let from = (row * frame.width + column) * frame.channels, to = ((top + row) * width + left + column) * 4
                for channel in 0..<3 { pixels[to + channel] = frame.pixels[from + channel] }
                pixels[to + 3] = frame.channels == 4 ? frame.pixels[from + 3] : 255
            }
        }
        return Picture(trusted: pixels, width: width, height: height, channels: 4)
    }
}
