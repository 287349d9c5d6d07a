import OmniAPI

extension ImageSize {
    /// The size of about this area in another's proportions, its sides multiples of `multiple`.
    package func area(inProportionsOf other: ImageSize, multiple: Int) -> ImageSize {
        let ratio = Double(other.width) / Double(other.height)
        func down(_ value: Double) -> Int { max(multiple, Int(value) / multiple * multiple) }
        return ImageSize(width: down((Double(pixels) * ratio).squareRoot()), height: down((Double(pixels) / ratio).squareRoot()))
    }

    /// The smallest size with sides of this multiple that holds this one.
    package func onGrid(_ multiple: Int) -> ImageSize {
        func up(_ side: Int) -> Int { (side + multiple - 1) / multiple * multiple }
        return ImageSize(width: up(width), height: up(height))
    }

    /// The size in these proportions whose area is that of a square of `side`, on a grid of 32 pixels.
    package func area(ofSquare side: Int) -> ImageSize {
        let ratio = Double(width) / Double(height)
        func near(_ value: Double) -> Int { max(32, Int((value / 32).rounded()) * 32) }
        return ImageSize(width: near(Double(side) * ratio.squareRoot()), height: near(Double(side) / ratio.squareRoot()))
    }
}
