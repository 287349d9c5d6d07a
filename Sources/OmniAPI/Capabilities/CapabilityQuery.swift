/// The query of `GET /v1/capabilities`.
package struct CapabilityQuery: WireObject {
    package var model: String?
    package var size: ImageSize?
    package var frames: Int?

    package init() {}

    package static var fields: [Field<CapabilityQuery>] {
        [
            .optional("model", \.model, .string, "Only this model."),
            .optional("size", \.size, .imageSize, "Price a picture, or a clip, of this size too."),
            .optional(
                "num_frames", \.frames, .integer(1...Int(Int32.max)),
                "Price a clip of this many frames too; one that the model cannot make has no price."),
        ]
    }
}
