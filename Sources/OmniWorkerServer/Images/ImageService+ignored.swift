import OmniAPI
import OmniEngine
import OmniHTTP

extension ImageService {
    /// The value of `x-ignored-params`: the names that are there already, and those of the job's fields that this model does nothing with.
    func ignored(_ names: String?, by job: ImageJob) -> String? {
        guard !model.imageDefaults.takesGuidance else { return names }
        let (drawing, extras) = (job.drawing, job.extras)
        let fields = [
            ("guidance_scale", drawing.guidanceScale != nil), ("true_cfg_scale", drawing.trueGuidanceScale != nil),
            ("negative_prompt", drawing.negativePrompt != nil), ("extra_params.cfg_normalization", extras.guidanceNormalization != 0),
            ("extra_params.cfg_truncation", extras.guidanceTruncation != 1),
        ]
        return IgnoredParams.joined(names, fields.filter(\.1).map(\.0).joined(separator: ","))
    }
}
