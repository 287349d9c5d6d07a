/// Latents or a picture as tensors hold it: `[width, height, channels]`, width fastest.
public struct Plane: Sendable, Equatable {
    public var width: Int
    public var height: Int
    public var channels: Int
    public var values: [Float]

    var shape: [Int] { [width, height, channels] }

    func map(_ body: (Float) -> Float) -> Plane { Plane(width: width, height: height, channels: channels, values: values.map(body)) }
}

extension Plane {
    subscript(x: Int, y: Int, channel: Int) -> Float {
        get { values[(channel * height + y) * width + x] }
        set { values[(channel * height + y) * width + x] = newValue }
    }

    init(width: Int, height: Int, channels: Int, _ value: (_ x: Int, _ y: Int, _ channel: Int) -> Float) {
        var values: [Float] = []
        values.reserveCapacity(width * height * channels)
        for channel in 0..<channels { for y in 0..<height { for x in 0..<width { values.append(value(x, y, channel)) } } }
        self.init(width: width, height: height, channels: channels, values: values)
    }
}
