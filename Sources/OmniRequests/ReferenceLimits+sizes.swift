import OmniAPI
import OmniEngine

extension ReferenceLimits {
    /// Throws 400 for a picture that is too small or too long to look at.
    package func check(_ size: ImageSize, param: String) throws {
        let (short, long) = (min(size.width, size.height), max(size.width, size.height))
        guard short < shortestSide || long > aspectRatio * short else { return }
        let rules = "sides of \(shortestSide) pixels at least, none longer than \(aspectRatio) times the other"
        throw APIError(.badRequest, "The picture is \(size); this model looks at pictures with \(rules).", param: param)
    }

    /// The size that a picture is brought to, and what is kept of its middle: its sides are multiples of `multiple`.
    package func sizes(of own: ImageSize, multiple: Int) -> (resized: ImageSize, kept: ImageSize) {
        var size = own
        if own.pixels > pixels {
            let scale = (Double(pixels) / Double(own.pixels)).squareRoot()
            size = ImageSize(width: Int(Double(own.width) * scale), height: Int(Double(own.height) * scale))
        }
        func down(_ side: Int) -> Int { max(multiple, side / multiple * multiple) }
        return (size, ImageSize(width: down(size.width), height: down(size.height)))
    }
}
