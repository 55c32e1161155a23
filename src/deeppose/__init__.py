"""DeepPose (Toshev and Szegedy, CVPR 2014): human pose by a cascade of ConvNet regressors."""
