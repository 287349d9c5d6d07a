import OmniAPI
import OmniEngine
import OmniMedia
import OmniRequests

/// What becomes of a request's input pictures.
extension ImageService {
    /// Throws 400 for more input pictures than the model takes.
    func check(pictures count: Int, param: String) throws {
        let most = model.imageDefaults.references?.count ?? 1
        guard count > most else { return }
        let limit = most == 1 ? "At most 1 image is" : "At most \(most) images are"
        throw APIError.invalid(param, "Received \(count) input images. \(limit) supported by this model.")
    }

    /// The size that is drawn after a picture where the request names none.
    func size(of picture: Picture) -> ImageSize {
        let (own, defaults) = (ImageSize(width: picture.width, height: picture.height), model.imageDefaults)
        guard let limits = defaults.references else { return own }
        return limits.sizes(of: own, multiple: defaults.multiple).kept
    }

    /// Gives `pictures` to a job whose size, mask and strength are known. The first one is what it starts from where something of it is to
    /// be kept, or where the model takes no references; a model that does looks at all of them.
    ///
    /// - Throws: 400 for a picture that the model cannot look at.
    func give(_ pictures: [Picture], to job: inout ImageJob, param: String) async throws {
        guard let first = pictures.first else { return }
        let defaults = model.imageDefaults
        let starts = defaults.references == nil || job.mask != nil || job.strength ?? 1 < 1
        if starts { job.source = try await inputs.resized(first, to: job.size) }
        guard let limits = defaults.references else { return }
        for picture in starts ? pictures.dropFirst() : pictures[...] {
            try limits.check(ImageSize(width: picture.width, height: picture.height), param: param)
            job.references.append(try await inputs.reference(picture, limits, multiple: defaults.multiple))
        }
    }
}
