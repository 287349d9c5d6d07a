extension Picture {
    /// The middle of the picture, at most `width`×`height`.
    public func cropped(width newWidth: Int, height newHeight: Int) -> Picture {
        let (newWidth, newHeight) = (min(newWidth, width), min(newHeight, height))
        guard newWidth > 0, newHeight > 0, (newWidth, newHeight) != (width, height) else { return self }
        let (left, top) = ((width - newWidth) / 2, (height - newHeight) / 2)
        var kept: [UInt8] = []
        kept.reserveCapacity(newWidth * newHeight * channels)
        for row in top..<top + newHeight {
            let start = (row * width + left) * channels
            kept += pixels[start..<start + newWidth * channels]
        }
        return Picture(trusted: kept, width: newWidth, height: newHeight, channels: channels)
    }
}
