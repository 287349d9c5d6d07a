/// A place along the axes that a model with M-RoPE counts: time, height, width, and one that is not used.
package struct RotaryPlace: Sendable, Equatable {
    package var time, height, width, other: Int32

    package init(time: Int32, height: Int32, width: Int32, other: Int32 = 0) {
        (self.time, self.height, self.width, self.other) = (time, height, width, other)
    }

    /// Of text: the same along all axes.
    package init(_ position: Int32) { self.init(time: position, height: position, width: position) }
}
