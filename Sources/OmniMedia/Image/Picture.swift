/// A picture in memory: rows from the top, 8 bits per channel, no gaps.
public struct Picture: Sendable, Equatable {
    public let width: Int
    public let height: Int
    /// 3 for RGB, 4 for RGBA (alpha not multiplied in).
    public let channels: Int
    /// `[height, width, channels]`
    public var pixels: [UInt8]

    /// nil when the pixels are not `width × height × channels` many, or a side is not positive.
    public init?(width: Int, height: Int, channels: Int, pixels: [UInt8]) {
        guard width > 0, height > 0, channels == 3 || channels == 4, pixels.count == width * height * channels else { return nil }
        self.init(trusted: pixels, width: width, height: height, channels: channels)
    }

    /// One colour everywhere; its components give the channels. Sides below 1 count as 1.
    public init(width: Int, height: Int, red: UInt8, green: UInt8, blue: UInt8) {
        let (width, height) = (max(1, width), max(1, height))
        let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { buffer, count in
            for place in 0..<width * height {
                buffer[place * 3] = red
                buffer[place * 3 + 1] = green
                buffer[place * 3 + 2] = blue
            }
            count = width * height * 3
        }
        self.init(trusted: pixels, width: width, height: height, channels: 3)
    }

    init(trusted pixels: [UInt8], width: Int, height: Int, channels: Int) {
        self.width = width
        self.height = height
        self.channels = channels
        self.pixels = pixels
    }

    public var hasAlpha: Bool { channels == 4 }

    /// The picture over a background, without alpha.
    public func flattened(red: UInt8 = 255, green: UInt8 = 255, blue: UInt8 = 255) -> Picture {
        guard hasAlpha else { return self }
        let background = [Int(red), Int(green), Int(blue)]
        let flat = [UInt8](unsafeUninitializedCapacity: width * height * 3) { buffer, count in
            pixels.withUnsafeBufferPointer { source in
                for place in 0..<width * height {
                    let alpha = Int(source[place * 4 + 3])
                    for channel in 0..<3 {
                        let mixed = Int(source[place * 4 + channel]) * alpha + background[channel] * (255 - alpha)
                        buffer[place * 3 + channel] = UInt8((mixed + 127) / 255)
                    }
                }
            }
            count = width * height * 3
        }
        return Picture(trusted: flat, width: width, height: height, channels: 3)
    }
}
