extension Picture {
    /// Turns a picture as stored into the picture as seen. `orientation` is EXIF's, 1…8 (Exif 2.32, 4.6.4 A).
    func upright(fromEXIF orientation: Int) -> Picture {
        guard (2...8).contains(orientation) else { return self }
        let swapped = orientation >= 5
        let (newWidth, newHeight) = swapped ? (height, width) : (width, height)
        let turned = [UInt8](unsafeUninitializedCapacity: pixels.count) { buffer, count in
            pixels.withUnsafeBufferPointer { source in
                for y in 0..<newHeight {
                    for x in 0..<newWidth {
                        let from = storedPlace(x, y, orientation)
                        let (to, origin) = ((y * newWidth + x) * channels, (from.y * width + from.x) * channels)
                        for channel in 0..<channels { buffer[to + channel] = source[origin + channel] }
                    }
                }
            }
            count = pixels.count
        }
        return Picture(trusted: turned, width: newWidth, height: newHeight, channels: channels)
    }

    /// Where the pixel seen at (x, y) is stored.
    private func storedPlace(_ x: Int, _ y: Int, _ orientation: Int) -> (x: Int, y: Int) {
        switch orientation {
        case 2: (width - 1 - x, y)
        case 3: (width - 1 - x, height - 1 - y)
        case 4: (x, height - 1 - y)
        case 5: (y, x)
        case 6: (y, height - 1 - x)
        case 7: (width - 1 - y, height - 1 - x)
        case 8: (width - 1 - y, x)
        default: (x, y)
        }
    }
}
