"""Textures made again by a worker: `python rebake.py RESULT.npz WORKER…` (its command line) prints what came of it.

Runs in any Blender; one JSON object, last.
"""

import json
import sys

import bpy
import checkout  # noqa: F401

import semblance
from semblance.addon.queue.timer import session
from semblance.addon.scene import face_links, rebake


def main():
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    semblance.register()
    session().command = lambda: sys.argv[2:]
    bpy.ops.ed.undo_push(message="start")
    bpy.ops.semblance.import_result("EXEC_DEFAULT", True, filepath=sys.argv[1], name="one / 顔")
    bpy.ops.semblance.import_result("EXEC_DEFAULT", True, filepath=sys.argv[1], name="two")
    for face in faces():
        face.select_set(True)
    facts, n_images = {"before": sizes()}, len(bpy.data.images)
    face.data.materials[0].name = face.name = "renamed"
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.semblance.rebake(size="512")
    facts["after"], facts["more images"] = sizes(), len(bpy.data.images) - n_images
    bpy.ops.ed.undo()
    facts["undone once"] = sizes()
    bpy.ops.ed.undo()
    facts["undone twice"] = sizes()
    facts["errors"] = [failure_with(several_photos), failure_with(no_photo), failure_with(no_textures)]
    session().close()
    semblance.unregister()
    print(json.dumps(facts))


def faces():
    return [o for o in bpy.data.objects if face_links.MODEL in o]


def sizes():
    return sorted(rebake.texture_size(face) for face in faces())


def failure_with(spoil):
    face = faces()[0]
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = face
    undo = spoil(face)
    try:
        bpy.ops.semblance.rebake(size="512")
    except RuntimeError as error:
        return str(error).strip()
    finally:
        undo()


def several_photos(face):
    before, face["semblance_report"] = face["semblance_report"], json.dumps({"photos": [{}, {}]})
    return lambda: face.__setitem__("semblance_report", before)


def no_photo(face):
    before = face[face_links.PHOTO]
    del face[face_links.PHOTO]
    return lambda: face.__setitem__(face_links.PHOTO, before)


def no_textures(face):
    material = face.data.materials[0]
    face.data.materials.clear()
    return lambda: face.data.materials.append(material)


main()
